import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { existsSync, readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { moeBlock } from "../../sdk/model/expert/moe-block.js";
import type { MoeRecord, Pass } from "../../sdk/model/pass.js";
import type { MoeFfnSpec } from "../../sdk/model/spec.js";
import { type ExpertsOptions, withExperts } from "../../sdk/model/with-experts.js";
import { oneHot, tf } from "../../sdk/tensor/index.js";
import { nanoMoe } from "./nano-moe.js";
import { shared } from "./shared.js";

/** Numbers of an oracle with their shape. */
export interface Numbers {
  shape: number[];
  values: Float32Array;
}

// what a case holds depends on the oracle
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Case = { name: string; source?: string; params: any; inputs: any; weights: any; outputs: any };

/** The cases of an oracle, their tensors in place, and all else of its JSON; undefined where it is not there. */
export async function oracleCases(slug: string): Promise<{ cases: Case[]; json: Record<string, unknown> } | undefined> {
  const path = shared(`fixtures/oracles/${slug}/${slug}.json`);
  if (!path) return undefined;
  const json = JSON.parse(readFileSync(path, "utf8"));
  const file = path.replace(/[^/]*$/, "tensors.safetensors");
  const store = existsSync(file) ? await openTensors(file) : undefined;
  const placed = async (value: unknown): Promise<unknown> => {
    if (Array.isArray(value)) return isNumbers(value) ? value : Promise.all(value.map(placed));
    if (typeof value !== "object" || value === null) return value;
    const { tensor, shape } = value as { tensor?: string; shape?: number[] };
    if (tensor) return { shape: shape!, values: await store!.values(tensor) };
    const entries = await Promise.all(Object.entries(value).map(async ([key, one]) => [key, await placed(one)]));
    return Object.fromEntries(entries);
  };
  const cases = await placed(json.cases) as Case[];
  await store?.close();
  return { cases, json };
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) ? value.every(isNumbers) : typeof value === "number";
}

/** Nested lists as numbers with a shape. */
export function numbers(value: unknown): Numbers {
  if (!Array.isArray(value)) return value as Numbers;
  const shape: number[] = [];
  for (let at: unknown = value; Array.isArray(at); at = at[0]) shape.push(at.length);
  return { shape, values: Float32Array.from(value.flat(Infinity) as number[]) };
}

export function tensorOf(value: unknown, shape?: number[]): Tensor {
  const found = numbers(value);
  return shape ? tf.reshape(tf.tensor(found.values), shape) : tf.tensor(found.values, found.shape);
}

/** Largest difference is at most `tolerance` times the largest entry. */
export function near(actual: Tensor, expected: unknown, tolerance: number, what: string): void {
  const a = actual.dataSync(), { values: b } = numbers(expected);
  assert.is(a.length, b.length, `${what}: ${a.length} numbers, expected ${b.length}`);
  const most = Math.max(...b.map(Math.abs), 1e-6);
  b.forEach((value, i) =>
    Math.abs(a[i] - value) <= tolerance * most
    || assert.unreachable(`${what}[${i}]: ${a[i]}, expected ${value} within ${tolerance} of ${most}`)
  );
}

/** The MoE block that a recipe describes, alone; `usual` is the block whose place it takes. */
export function blockOf(
  options: ExpertsOptions,
  usual: { width: number; gated?: boolean; bias?: boolean; activation?: MoeFfnSpec["activation"] },
): MoeFfnSpec {
  const { spec } = nanoMoe({ layers: 1 });
  const { width, gated = true, bias = false, activation = gated ? "silu" : "relu" } = usual;
  spec.decoder.layers[0].ffn = { kind: "dense", width, gated, bias, activation };
  return withExperts(spec, { ...options, every: 1 }).decoder.layers[0].ffn as MoeFfnSpec;
}

/** Runs a block on rows [N, D]; what it did is in the record, gates and choices by expert [N, E]. */
export function runBlock(
  spec: MoeFfnSpec,
  weights: Record<string, Tensor>,
  x: Tensor,
  pass: Partial<Pass> = {},
): { y: Tensor; record: MoeRecord; gates: Tensor; selected: Tensor } {
  let record: MoeRecord | undefined;
  const N = x.shape[0] as number;
  const y = moeBlock(x, "layers.0", spec, new Map(Object.entries(weights)), { B: 1, T: N, offset: 0, capacity: false,
    look: { sites: new Set(["moe"]), see: (seen) => seen.site === "moe" && (record = seen) }, ...pass });
  const { choice, gates } = record!;
  return { y, record: record!, selected: byExpert(choice, tf.onesLike(gates), spec.experts),
    gates: byExpert(choice, gates, spec.experts) };
}

/** Values [N, K] of choices as [N, E] */
export function byExpert(choice: Tensor, values: Tensor, E: number): Tensor {
  return tf.sum(tf.mul(oneHot(choice as Tensor2D, E), tf.expandDims(values, -1)), 1);
}
