import { MoeError } from "../errors.js";
import type { AttentionSpec } from "./attention-spec.js";
import { scoreSize } from "./attention/tensors.js";
import type { ModelSpec } from "./spec.js";
import { type Part, type UsageShares, weightGroups } from "./weight-groups.js";

/** What one forward pass is given. */
export interface Shape {
  /** sequences; default 1 */
  batch?: number;
  /** encoder tokens per sequence; default 1, ignored without an encoder */
  source?: number;
  /** decoder tokens per sequence; default 1 */
  target?: number;
  /** decoder positions per sequence that get logits; default all of `target` */
  logits?: number;
  /** decoder tokens already in the key-value cache; above 0 the encoder has run before and is not counted; default 0 */
  past?: number;
}

export interface CostOptions {
  /** measured shares of the router outputs, for experts of unequal size; default all equal */
  usage?: UsageShares;
  /** count the products q k^T and p v in `flops.total`; default true */
  scores?: boolean;
  /**
   * count the router's product in `flops.total`; default false: published counts leave it out (0.1 % in switch-base-32)
   */
  routers?: boolean;
}

/** What a model stores and computes. FLOPs are two per multiply-add of matrix products; nothing else is counted. */
export interface Cost {
  /** stored numbers by part; what is shared or tied counts once */
  parameters: Record<Part | "total", number>;
  /** numbers that one token meets, in encoder and decoder together: of the experts only the chosen ones */
  active: Record<Part | "total", number>;
  /** bytes of all parameters if all have this number format */
  sizeBytes: Record<"float32" | "bfloat16" | "float16", number>;
  /** FLOPs of the forward pass of `shape`; `total` follows the options, the parts are always all there */
  flops: Record<Exclude<Part, "embedding" | "norms"> | "scores" | "total", number>;
  /** `flops.total` over the tokens that run, source and target */
  flopsPerToken: number;
  shape: Required<Shape>;
}

/**
 * Counts parameters, bytes and FLOPs from the configuration alone.
 * Attention is counted in full under a causal mask (a window limits it), keys and values of cross-attention once per
 * source token, the head on `logits` positions. Reproduces the sizes and TFLOPs printed in arXiv:2310.01334, Table 2.
 *
 * @throws MoeError `cost-shape` when a number of the shape is not a whole number of tokens
 * @example cost(spec, { batch: 64, source: 329, target: 13 }).flops.total / 1e12  // 4.645 for switch-base-32
 */
export function cost(spec: ModelSpec, shape: Shape = {}, options: CostOptions = {}): Cost {
  const full = checkedShape(spec, shape);
  const { batch, source, target, logits, past } = full;
  const tokens = { source: past > 0 ? 0 : batch * source, target: batch * target, logits: batch * logits };

  const none = { embedding: 0, attention: 0, routers: 0, experts: 0, shared: 0, dense: 0, norms: 0, head: 0, total: 0 };
  const parameters = { ...none };
  const active = { ...none };
  const { embedding: _table, norms: _norms, ...products } = none;
  const flops = { ...products, scores: scoreFlops(spec, full) };
  for (const group of weightGroups(spec, options.usage)) {
    parameters[group.part] += group.parameters;
    active[group.part] += group.active;
    if (group.part !== "embedding" && group.part !== "norms")
      flops[group.part] += 2
        * (group.multiplies * tokens[group.sees]
          + (group.multipliesPerSequence ?? 0) * (tokens[group.sees] > 0 ? batch : 0));
  }
  parameters.total = total(parameters);
  active.total = total(active);
  flops.total = total(flops) - (options.scores === false ? flops.scores : 0)
    - (options.routers === true ? 0 : flops.routers);
  return {
    parameters,
    active,
    sizeBytes: { float32: 4 * parameters.total, bfloat16: 2 * parameters.total, float16: 2 * parameters.total },
    flops,
    flopsPerToken: flops.total / (tokens.source + tokens.target),
    shape: full,
  };
}

function total(parts: Record<string, number>): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0);
}

/**
 * q k^T and p v of all layers: 2 FLOPs per query, key and channel of each. Blocks without scores over all earlier
 * tokens count none.
 */
function scoreFlops(spec: ModelSpec, { batch, source, target, past }: Required<Shape>): number {
  const layer = (attention: AttentionSpec | undefined, queries: number, keys: number): number => {
    const size = attention && scoreSize(attention);
    return size
      ? 2 * batch * size.heads * (size.scoreDim + size.valueDim) * queries * Math.min(keys, size.reach ?? keys)
      : 0;
  };
  let flops = 0;
  if (past === 0) { for (const { attention } of spec.encoder?.layers ?? []) flops += layer(attention, source, source); }
  for (const { attention, cross } of spec.decoder.layers)
    flops += layer(attention, target, past + target) + layer(cross, target, source);
  return flops;
}

function checkedShape(spec: ModelSpec, shape: Shape): Required<Shape> {
  const target = shape.target ?? 1;
  const full = { batch: shape.batch ?? 1, source: spec.encoder ? shape.source ?? 1 : 0, target,
    logits: shape.logits ?? target, past: shape.past ?? 0 };
  for (const [name, value] of Object.entries(full)) {
    const least = name === "past" || name === "logits" || (name === "source" && !spec.encoder) ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new MoeError("cost-shape",
        `cost: ${name} is ${value} in the shape; accepted are whole numbers from ${least}. Give tokens per `
          + "sequence as numbers.");
    }
  }
  return full;
}
