import type { Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import { MemorySource } from "../memory-source.js";
import { type ExpertSpec, type ModelSpec, moeLayers } from "../spec.js";
import type { TensorInfo, WeightSource } from "../weight-source.js";
import type { Form, FormOf } from "./form.js";

// A remainder S [out, in] is stored as its rows that are not zero, `….s` [kept, in], and their numbers, `….s.rows`
// [kept];
// without numbers it is whole, and without both it is zero. On the device it is whole.

/** U V + S with U [out, r], V [r, in] (MC-SMoE, section 3.3 of arXiv:2310.01334). */
export const lowRankSparse: Form<FormOf<"low-rank-sparse">> = {
  tensors: ({ rank, rows }, [out, width]) => [
    { name: ".u", shape: [out, rank] },
    { name: ".v", shape: [rank, width] },
    // rows that are not zero, and which they are
    ...(rows > 0 ? [{ name: ".s", shape: [rows, width] }] : []),
    ...(rows > 0 && rows < out ? [{ name: ".s.rows", shape: [rows] }] : []),
  ],
};

/**
 * The whole remainder [out, in] of a matrix, row by row.
 *
 * @param name of the remainder, e.g. "layers.0.experts.3.up.s"
 */
export async function readRemainder(
  source: WeightSource,
  name: string,
  [out, width]: readonly number[],
): Promise<Float32Array> {
  const whole = new Float32Array(out * width);
  if (!source.has(name)) return whole;
  const kept = await source.values(name);
  if (!source.has(`${name}.rows`)) return kept;
  (await source.values(`${name}.rows`)).forEach((row, at) =>
    whole.set(kept.subarray(at * width, (at + 1) * width), row * width)
  );
  return whole;
}

/** How a matrix in factors would be stored whole: its shape, the factors' number format. */
export function wholeInfo(source: Pick<WeightSource, "info">, name: string): TensorInfo {
  const [u, v] = [source.info(`${name}.u`), source.info(`${name}.v`)];
  const [out, rank] = u.shape;
  return { dtype: u.dtype, shape: [out, v.shape[1]], sizeBytes: (u.sizeBytes / rank) * v.shape[1] };
}

/** U V + S of a matrix in factors, row by row. */
export async function wholeValues(source: WeightSource, name: string): Promise<Float32Array> {
  const { shape } = wholeInfo(source, name);
  const remainder = await readRemainder(source, `${name}.s`, shape);
  const [u, v] = [await source.read(`${name}.u`), await source.read(`${name}.v`)] as Tensor2D[];
  const whole = tf.tidy(() => tf.add(tf.matMul(u, v), tf.tensor(remainder, shape)));
  tf.dispose([u, v]);
  const values = (await whole.data()) as Float32Array;
  whole.dispose();
  return values;
}

/** The numbers of the rows that are not zero. */
export function nonZeroRows(remainder: Float32Array, width: number): number[] {
  return Array.from({ length: remainder.length / width }, (_, row) => row).filter((row) =>
    remainder.subarray(row * width, (row + 1) * width).some((value) => value !== 0)
  );
}

/** These rows of a remainder, one after the other. */
export function cutRows(remainder: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const cut = new Float32Array(rows.length * width);
  rows.forEach((row, at) => cut.set(remainder.subarray(row * width, (row + 1) * width), at * width));
  return cut;
}

/** An expert whose remainders hold every row. @param D model width */
export function withWholeRemainder(slot: ExpertSpec, D: number): ExpertSpec {
  return slot.form === "low-rank-sparse"
    ? { ...slot,
      rows: Object.fromEntries(Object.keys(slot.rows).map((matrix) => [matrix, matrix === "down" ? D : slot.width])) }
    : slot;
}

/** Cuts rows of zeros out of whole remainders, for storing: the architecture then counts what is left. */
export async function withoutZeroRows({ spec, weights }: { spec: ModelSpec; weights: WeightSource }): Promise<
  { spec: ModelSpec; weights: WeightSource }
> {
  if (!moeLayers(spec).some(({ ffn }) => ffn.slots.some(({ form }) => form === "low-rank-sparse")))
    return { spec, weights };
  const cut = structuredClone(spec);
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const name of weights.names())
    if (!/\.s(\.rows)?$/.test(name))
      tensors.set(name, { shape: weights.info(name).shape, values: await weights.values(name) });
  for (const { id, ffn } of moeLayers(cut)) {
    for (const [index, slot] of ffn.slots.entries()) {
      if (slot.form !== "low-rank-sparse") continue;
      for (const matrix of ffn.gated ? ["up", "gate", "down"] : ["up", "down"]) {
        const name = `${id}.experts.${index}.${matrix}`;
        const [out, width] = [weights.info(`${name}.u`).shape[0], weights.info(`${name}.v`).shape[1]];
        const whole = await readRemainder(weights, `${name}.s`, [out, width]);
        const rows = nonZeroRows(whole, width);
        slot.rows[matrix] = rows.length;
        if (rows.length > 0)
          tensors.set(`${name}.s`, { shape: [rows.length, width], values: cutRows(whole, width, rows) });
        if (rows.length > 0 && rows.length < out)
          tensors.set(`${name}.s.rows`, { shape: [rows.length], values: Float32Array.from(rows) });
      }
    }
  }
  return { spec: cut, weights: new MemorySource(tensors) };
}
