import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { type ModelSpec, type MoeFfnSpec, moeLayers } from "../../sdk/model/spec.js";
import type { WeightSource } from "../../sdk/model/weight-source.js";
import type { MoeEvent } from "../../sdk/profile/observer.js";
import { routerLogitsObserver } from "../../sdk/profile/observers/router-logits.js";
import { usageObserver } from "../../sdk/profile/observers/usage.js";
import type { Profile } from "../../sdk/profile/profile.js";
import { tf } from "../../sdk/tensor/index.js";
import { activate } from "../../sdk/tensor/ops/activate.js";
import { MemoryWeights } from "./memory-weights.js";
import { shared } from "./shared.js";

/** One oracle: the JSON and all tensors of `fixtures/oracles/<folder>/<name>`, or undefined where it is not there. */
export async function oracle(folder: string, name: string, beside = name) {
  const base = shared(`fixtures/oracles/${folder}/${name}.json`);
  if (!base) return undefined;
  const json = JSON.parse(readFileSync(base, "utf8"));
  const store = await openTensors(base.replace(/[^/]+$/, `${beside}.safetensors`));
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const tensor of store.names())
    tensors.set(tensor, { shape: store.info(tensor).shape, values: await store.values(tensor) });
  await store.close();
  return { json, tensors };
}

/**
 * The MoE layers of an oracle: canonical ids by the names that it gives them, experts, routers, recorded tokens; the
 * model that consists of them. All sizes are the oracle's.
 */
export async function oracleLayers(folder: string, name: string, router: { topK?: number; normalize?: boolean } = {}) {
  const found = await oracle(folder, name);
  if (!found) return undefined;
  const { json, tensors } = found;
  const names: string[] = json.moe_layers
    ?? Array.from({ length: json.params.layers }, (_, layer) => `layers.${layer}`);
  const stackOf = (name: string) => (name.startsWith("encoder") ? "encoder." : "");
  const ids = new Map(
    names.map((name) => [name, `${stackOf(name)}layers.${
      names.filter((other) => stackOf(other) === stackOf(name)).indexOf(name)
    }`]),
  );
  const nameOf = new Map([...ids].map(([name, id]) => [id, name]));
  /** the same thing has another name in each oracle; a router's [E, D] may be called as an expert's [E, F, D] */
  const part = (name: string, rank: number, ...called: string[]) =>
    called.map((each) => tensors.get(`${name}.${each}`)).find((tensor) => tensor?.shape.length === rank);
  const layers = Object.fromEntries(
    names.map(
      (name): [string, OracleLayer] => [ids.get(name)!, { up: part(name, 3, "wi", "w3", "up")!,
        gate: part(name, 3, "w1", "gate"), down: part(name, 3, "wo", "w2", "down")!,
        router: part(name, 2, "router", "gate")! }]
    ),
  );
  const tokens = (id: string) => {
    const of = (part: string) => tensors.get(`${nameOf.get(id)}.${part}`);
    return { input: (of("hidden") ?? of("input"))!, logits: of("router_logits")!, choice: of("expert_index")?.values };
  };
  return { ...found, names, ids, layers, tokens, model: oracleModel(layers, router) };
}

/** Experts of one MoE layer as an oracle stores them, stacked [E, …]. */
export interface OracleLayer {
  up: Stack;
  gate?: Stack;
  down: Stack;
  router: Stack;
}
type Stack = { shape: number[]; values: Float32Array };

/** A model that consists of MoE layers alone, under canonical names; `ids` may name encoder layers too. */
export function oracleModel(
  layers: Record<string, OracleLayer>,
  { topK = 1, normalize = false } = {},
): { spec: ModelSpec; weights: MemoryWeights } {
  const tensors = new Map<string, Stack>();
  const stacks = { encoder: [] as ModelSpec["decoder"]["layers"], decoder: [] as ModelSpec["decoder"]["layers"] };
  let width = 0;
  for (const [id, { up, gate, down, router }] of Object.entries(layers)) {
    const [E, F, D] = up.shape;
    width = D;
    const ffn: MoeFfnSpec = {
      kind: "moe",
      experts: E,
      expertOf: Array.from({ length: E }, (_, e) => e),
      slots: Array.from({ length: E }, () => ({ form: "dense", width: F })),
      router: { kind: "softmax", topK, normalize, scale: 1, bias: false, capacity: 0 },
      activation: gate ? "silu" : "relu",
      gated: Boolean(gate),
      bias: false,
    };
    stacks[id.startsWith("encoder.") ? "encoder" : "decoder"].push({ ffn, norm: { kind: "rms", eps: 1e-6 } });
    tensors.set(`${id}.router`, router);
    for (let e = 0; e < E; e++) {
      for (const [matrix, stack] of Object.entries({ up, gate, down }))
        if (stack) tensors.set(`${id}.experts.${e}.${matrix}`, rowOf(stack, e));
    }
  }
  const stack = (layers: ModelSpec["decoder"]["layers"]) => ({ embedding: { scale: 1 }, layers });
  const spec: ModelSpec = {
    family: "oracle",
    vocab: 1,
    width,
    decoder: stack(stacks.decoder),
    ...(stacks.encoder.length > 0 && { encoder: stack(stacks.encoder) }),
    head: { tied: true, scale: 1, bias: false },
    tokens: { eos: [] },
  };
  return { spec, weights: new MemoryWeights(tensors) };
}

/** One entry of the first axis. */
export function rowOf({ shape, values }: Stack, index: number): Stack {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return { shape: shape.slice(1), values: values.slice(index * size, (index + 1) * size) };
}

/** Replays a layer: the event that a sweep would have sent for these tokens. The caller disposes with `dispose`. */
export function replay(
  id: string,
  spec: MoeFfnSpec,
  layer: OracleLayer,
  tokens: { input: Stack; logits: Stack; choice?: ArrayLike<number> },
): { event: MoeEvent; dispose(): void } {
  const owned: Tensor[] = [];
  const keep = <T extends Tensor>(tensor: T): T => (owned.push(tf.keep(tensor)), tensor);
  const D = layer.up.shape[2];
  const [E, K] = [spec.experts, spec.router.topK];
  const N = tokens.input.values.length / D;
  const input = keep(tf.tensor2d(tokens.input.values, [N, D]));
  const logits = keep(tf.tensor2d(tokens.logits.values, [N, E]));
  const { choice, gates } = route(tokens.logits.values, spec, tokens.choice);
  const matrix = (stack: Stack, e: number) =>
    tf.tensor2d(rowOf(stack, e).values, rowOf(stack, e).shape as [number, number]);
  const expert = (slot: number) => ({
    hidden: (x: Tensor) =>
      tf.tidy(() => {
        const up = tf.matMul(x as Tensor2D, matrix(layer.up, slot), false, true);
        if (!layer.gate) return activate(up, spec.activation) as Tensor2D;
        return tf.mul(activate(tf.matMul(x as Tensor2D, matrix(layer.gate, slot), false, true), spec.activation),
          up) as Tensor2D;
      }),
    run: (x: Tensor): Tensor2D =>
      tf.tidy(() => tf.matMul(expert(slot).hidden(x), matrix(layer.down, slot), false, true)),
  });
  const output = keep(tf.tidy(() => {
    let sum: Tensor = tf.zeros([N, D]);
    for (let e = 0; e < E; e++) {
      if (spec.expertOf[e] < 0) continue;
      const weight = Float32Array.from({ length: N }, (_, n) => {
        let g = 0;
        for (let k = 0; k < K; k++) if (choice[n * K + k] === e) g += gates[n * K + k];
        return g;
      });
      sum = tf.add(sum, tf.mul(expert(spec.expertOf[e]).run(input), tf.tensor2d(weight, [N, 1])));
    }
    return sum as Tensor2D;
  }));
  const event: MoeEvent = {
    site: "moe",
    layer: id,
    spec,
    input,
    logits,
    output,
    expert,
    choice: keep(tf.tensor2d(choice, [N, K], "int32")),
    gates: keep(tf.tensor2d(gates, [N, K])),
  };
  return { event, dispose: () => owned.forEach((tensor) => tensor.dispose()) };
}

/** Usage and likeness of router logits, from the tokens that an oracle recorded. */
export async function profileOf(
  model: { spec: ModelSpec; weights: WeightSource },
  tokens: (id: string) => Parameters<typeof replay>[3],
  layers: Record<string, OracleLayer>,
): Promise<Profile> {
  const observers = [usageObserver(), routerLogitsObserver()] as const;
  for (const { id, ffn } of moeLayers(model.spec)) {
    const { event, dispose } = replay(id, ffn, layers[id], tokens(id));
    for (const observer of observers) await observer.see(event);
    dispose();
  }
  const [counts, cosines] = [observers[0].result(), observers[1].result()];
  const profiled = Object.fromEntries(
    Object.keys(counts).map(
      (id) => [id, { experts: counts[id].counts.length, ...counts[id], routerLogitCosine: cosines[id] }]
    ),
  );
  return { version: 1, model: { id: "oracle", fingerprint: await model.weights.fingerprint() },
    data: { id: "oracle", fingerprint: "", seed: 0 }, tokens: { decoder: 0 }, layers: profiled };
}

/** The experts of one layer of any weights, stacked as an oracle stores them. */
export async function stacked(weights: WeightSource, id: string, slots: number): Promise<OracleLayer> {
  const stack = async (matrix: string): Promise<Stack> => {
    const each: Float32Array[] = [];
    for (let slot = 0; slot < slots; slot++) each.push(await weights.values(`${id}.experts.${slot}.${matrix}`));
    const values = new Float32Array(each.reduce((sum, { length }) => sum + length, 0));
    each.forEach((row, slot) => values.set(row, slot * row.length));
    return { shape: [slots, ...weights.info(`${id}.experts.0.${matrix}`).shape], values };
  };
  const router = { shape: weights.info(`${id}.router`).shape, values: await weights.values(`${id}.router`) };
  return { up: await stack("up"), ...(weights.has(`${id}.experts.0.gate`) && { gate: await stack("gate") }),
    down: await stack("down"), router };
}

/** top-k of softmax, ties to the lower index */
function route(
  logits: ArrayLike<number>,
  spec: MoeFfnSpec,
  given?: ArrayLike<number>,
): { choice: Int32Array; gates: Float32Array } {
  const [E, K] = [spec.experts, spec.router.topK];
  const N = logits.length / E;
  const choice = new Int32Array(N * K);
  const gates = new Float32Array(N * K);
  for (let n = 0; n < N; n++) {
    const row = Array.from({ length: E }, (_, e) => (spec.router.masked?.includes(e) ? -Infinity : logits[n * E + e]));
    const top = Math.max(...row);
    const exps = row.map((value) => Math.exp(value - top));
    const total = exps.reduce((a, b) => a + b, 0);
    const order = row.map((_, e) => e).sort((a, b) => row[b] - row[a] || a - b);
    let chosen = 0;
    for (let k = 0; k < K; k++) {
      choice[n * K + k] = given ? given[n * K + k] : order[k];
      gates[n * K + k] = exps[choice[n * K + k]] / total;
      chosen += gates[n * K + k];
    }
    if (spec.router.normalize) { for (let k = 0; k < K; k++) gates[n * K + k] /= chosen; }
  }
  return { choice, gates };
}
