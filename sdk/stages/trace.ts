import { MoeError } from "../errors.js";
import { expertSize } from "../model/expert-size.js";
import type { Model } from "../model/model.js";
import { moeLayers } from "../model/spec.js";
import { NO_EXPERT, type RoutingTrace, type TraceStep } from "../offload/trace.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import { withDecoderMask } from "./calibrate.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, taskData } from "./task-data.js";

export interface TraceOptions extends DataOptions, MemoryOptions {
  /** tokens of each text that are one step, its prompt; every token after them is a step of its own. Default all */
  promptTokens?: number;
  /** of an encoder-decoder model; default the decoder if it has experts */
  stack?: "encoder" | "decoder";
  /** also what the next three routers say about each router's input; default true */
  lookahead?: boolean;
  signal?: AbortSignal;
}

/** One layer's choices of all texts, one after the other. */
interface LayerRecord {
  ids: number[][];
  weights: number[][];
  inputs: number[][];
}

/**
 * Records which experts a model chooses for each token of test items: what policies of offloading are tried on.
 * A causal model routes a token the same whether it reads it or writes it, so that the tokens after a prompt stand for
 * decoding.
 *
 * @throws MoeError `no-experts`, `bad-option`, and what reading the data throws
 */
export async function traceStage(study: StudyState, options: TraceOptions = {}): Promise<RoutingTrace> {
  const { model, opened } = study, { spec } = model;
  const { promptTokens = Infinity, lookahead = true, signal = kernelHost()?.signal } = options;
  if (promptTokens !== Infinity && !(Number.isInteger(promptTokens) && promptTokens >= 1))
    throw new MoeError("bad-option",
      `trace: promptTokens is ${String(promptTokens)}; accepted is a whole number from 1. Change it.`);
  limitMemory(model, options);
  const all = moeLayers(spec),
    stack = options.stack ?? (all.some(({ stack }) => stack === "decoder") ? "decoder" : "encoder");
  const layers = all.filter((layer) => layer.stack === stack);
  if (layers.length === 0)
    throw new MoeError("no-experts",
      `trace: ${model.id} has no MoE layer${
        options.stack ? ` in its ${stack}` : ""
      }; accepted is a model with experts.`);
  const experts = Math.max(...layers.map(({ ffn }) => ffn.experts)),
    topK = Math.max(...layers.map(({ ffn }) => ffn.router.topK));
  const { groups } = await taskData(opened, "test", { ...options, items: options.items ?? 16 }, "trace");
  const batches = groups.flatMap(({ batches }) => batches).map(withDecoderMask);
  const records = new Map(layers.map(({ id }) => [id, [] as LayerRecord[]]));
  const lengths: number[][] = batches.map(() => []);
  const bar = progress({ label: `trace ${model.id}`, total: spec[stack]!.layers.length, unit: "layers", signal });
  try {
    await model.sweep(batches, {
      signal,
      sites: ["moe"],
      async onSite(record, { batch, rows, stack: where }) {
        if (record.site !== "moe" || where !== stack) return;
        const [choice, gates] = await Promise.all([record.choice.array(), record.gates.array()]);
        const inputs = lookahead ? await record.input.array() : [];
        const real = (_: unknown, row: number) => !rows.real || rows.real[row] === 1;
        records.get(record.layer)![batch] = { ids: choice.filter(real), weights: gates.filter(real),
          inputs: inputs.filter(real) };
        lengths[batch] = Array.from({ length: rows.B }, (_, b) =>
          rows.real
            ? rows.real.subarray(b * rows.T, (b + 1) * rows.T).reduce((sum, one) => sum + one, 0)
            : rows.T);
      },
      onLayer: () => bar.advance(),
    });
    bar.done();
  } catch (error) {
    bar.fail(error);
    throw error;
  }
  const routers = lookahead ? await Promise.all(layers.map(({ id }) => routerOf(model, id))) : [];
  const steps: TraceStep[] = [];
  let seq = 0;
  batches.forEach((_, batch) => {
    const own = layers.map(({ id }) => records.get(id)![batch]);
    let first = 0;
    for (const length of lengths[batch]) {
      for (let at = 0; at < length;) {
        const tokens = at === 0 ? Math.min(length, promptTokens) : 1;
        steps.push(stepOf(own, first + at, tokens, { seq, topK, routers, phase: at === 0 ? "prefill" : "decode" }));
        at += tokens;
      }
      first += length;
      seq += 1;
    }
  });
  const slot = layers.flatMap(({ ffn }) => ffn.slots.map((slot) => expertSize(slot, ffn, spec.width).parameters));
  const parameters = Math.max(...slot);
  return { model: model.id, seed: options.seed ?? 0, layers: layers.length, experts, topK, dModel: spec.width,
    layerIds: layers.map(({ id }) => id), expertBytes: { f32: 4 * parameters, f16: 2 * parameters }, steps };
}

interface Router {
  rows: Float32Array;
  bias?: Float32Array;
  experts: number;
}

async function routerOf({ weights }: Model, layer: string): Promise<Router | undefined> {
  const name = `${layer}.router`;
  if (!weights.has(name)) return undefined;
  const rows = await weights.values(name), [experts] = weights.info(name).shape;
  return { rows, experts, ...(weights.has(`${name}.bias`) && { bias: await weights.values(`${name}.bias`) }) };
}

function stepOf(
  layers: readonly LayerRecord[],
  from: number,
  tokens: number,
  { seq, topK, routers, phase }: Pick<TraceStep, "seq" | "phase"> & { topK: number; routers: (Router | undefined)[] },
): TraceStep {
  const L = layers.length, places = L * tokens * topK;
  const ids = new Uint16Array(places).fill(NO_EXPERT), weights = new Float32Array(places);
  const ahead = routers.length > 0 ? new Uint16Array(3 * places).fill(NO_EXPERT) : undefined;
  layers.forEach((record, layer) => {
    for (let t = 0; t < tokens; t++) {
      const order = record.ids[from + t].map((id, k) => ({ id, weight: record.weights[from + t][k] })).filter(
        ({ id }) => id >= 0
      ).sort((a, b) => b.weight - a.weight || a.id - b.id);
      order.forEach(({ id, weight }, k) => {
        ids[(layer * tokens + t) * topK + k] = id;
        weights[(layer * tokens + t) * topK + k] = weight;
      });
      for (let lead = 1; ahead && lead <= 3 && layer + lead < L; lead++) {
        const router = routers[layer + lead];
        if (router)
          ahead.set(best(router, record.inputs[from + t], topK), ((layer * 3 + lead - 1) * tokens + t) * topK);
      }
    }
  });
  return { seq, phase, tokens, ids, weights, ...(ahead && { nextLookahead: ahead }) };
}

/** The K experts of the largest logits. */
function best({ rows, bias, experts }: Router, x: readonly number[], K: number): number[] {
  const logits = Array.from({ length: experts },
    (_, e) => x.reduce((sum, value, i) => sum + value * rows[e * x.length + i], bias?.[e] ?? 0));
  return logits.map((logit, expert) => ({ logit, expert })).sort((a, b) => b.logit - a.logit || a.expert - b.expert)
    .slice(0, K).map(({ expert }) => expert);
}
