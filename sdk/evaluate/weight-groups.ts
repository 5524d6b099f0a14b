import { layerId, type AttentionSpec, type DenseFfnSpec, type LayerSpec, type ModelSpec, type MoeFfnSpec, type NormSpec } from "../model/spec.js";
import { expertSize } from "./expert-size.js";

export type Part = "embedding" | "attention" | "routers" | "experts" | "shared" | "dense" | "norms" | "head";

/**
 * Weights of one part of one block, counted three ways. Whose tokens they see: those of the encoder ("source"), of
 * the decoder ("target"), or the positions that get logits ("logits").
 */
export interface WeightGroup {
  part: Part;
  sees: "source" | "target" | "logits";
  /** numbers that are stored */
  parameters: number;
  /** numbers that one token meets: of the experts, only the chosen ones */
  active: number;
  /** multiply-adds in matrix products for one token */
  multiplies: number;
}

/** Share of the tokens' choices that fall on each router output, by layer; rows sum to 1. */
export type UsageShares = Record<string, readonly number[]>;

/**
 * Lists the weights of a model from its configuration alone.
 * Experts that differ in size count by how often they are chosen: by `usage`, else equally over the router outputs
 * that are not masked. Two choices of one token that fall into one slot count twice, unless the router combines them
 * and no usage is given (usage does not say how often they meet: then the count is an upper bound).
 */
export function weightGroups(spec: ModelSpec, usage: UsageShares = {}): WeightGroup[] {
  const { width, vocab } = spec;
  const table = (sees: WeightGroup["sees"]): WeightGroup => ({ part: "embedding", sees, parameters: vocab * width, active: vocab * width, multiplies: 0 });
  const groups: WeightGroup[] = [table("target")];
  if (spec.encoder && !spec.encoder.embedding.shared) groups.push(table("source"));
  for (const stack of ["encoder", "decoder"] as const) {
    const sees = stack === "encoder" ? "source" : "target";
    spec[stack]?.layers.forEach((layer, index) => groups.push(...layerGroups(layer, width, sees, usage[layerId(stack, index)])));
    const norm = spec[stack]?.finalNorm;
    if (norm) groups.push(plain("norms", sees, normSize(norm, width)));
  }
  // a tied head multiplies with the embedding, which is counted above
  const head = (spec.head.tied ? 0 : vocab * width) + (spec.head.bias ? vocab : 0);
  groups.push({ part: "head", sees: "logits", parameters: head, active: head, multiplies: vocab * width });
  return groups;
}

function layerGroups(layer: LayerSpec, width: number, sees: "source" | "target", usage?: readonly number[]): WeightGroup[] {
  const groups: WeightGroup[] = [];
  if (layer.attention) {
    const { query, memory, extra } = attentionSize(layer.attention, width);
    groups.push(plain("attention", sees, query + memory + extra, query + memory));
  }
  if (layer.cross) {
    // keys and values are made of the encoder's tokens
    const { query, memory, extra } = attentionSize(layer.cross, width);
    groups.push(plain("attention", sees, query + extra, query), plain("attention", "source", memory));
  }
  if (layer.ffn?.kind === "dense") groups.push(denseGroup("dense", layer.ffn, width, sees));
  if (layer.ffn?.kind === "moe") {
    const ffn = layer.ffn;
    groups.push(expertGroup(ffn, width, sees, usage));
    groups.push(plain("routers", sees, ffn.experts * (width + (ffn.router.bias ? 1 : 0)), ffn.experts * width));
    if (ffn.shared) groups.push(denseGroup("shared", ffn.shared, width, sees));
  }
  const norms = [layer.attention, layer.cross, layer.ffn].filter(Boolean).length;
  groups.push(plain("norms", sees, norms * normSize(layer.norm, width)));
  return groups;
}

/** Weights that every token meets; multiplies are 0 for norms. */
function plain(part: Part, sees: WeightGroup["sees"], parameters: number, multiplies = part === "norms" ? 0 : parameters): WeightGroup {
  return { part, sees, parameters, active: parameters, multiplies };
}

function attentionSize(attention: AttentionSpec, width: number): { query: number; memory: number; extra: number } {
  const { heads, kvHeads, headDim, bias, relative } = attention;
  const biases = (bias.q ? heads * headDim : 0) + (bias.k ? kvHeads * headDim : 0) + (bias.v ? kvHeads * headDim : 0) + (bias.o ? width : 0);
  // one layer holds the table of relative distances for all of its stack
  const distances = relative?.own ? relative.buckets * heads : 0;
  return { query: 2 * width * heads * headDim, memory: 2 * width * kvHeads * headDim, extra: biases + distances };
}

function denseGroup(part: "dense" | "shared", ffn: DenseFfnSpec, width: number, sees: WeightGroup["sees"]): WeightGroup {
  const { parameters, multiplies } = expertSize({ form: "dense", width: ffn.width }, ffn, width);
  return plain(part, sees, parameters, multiplies);
}

function expertGroup(ffn: MoeFfnSpec, width: number, sees: WeightGroup["sees"], usage?: readonly number[]): WeightGroup {
  const sizes = ffn.slots.map((slot) => expertSize(slot, ffn, width));
  const group: WeightGroup = { part: "experts", sees, parameters: 0, active: 0, multiplies: 0 };
  runsPerToken(ffn, usage).forEach((runs, slot) => {
    group.parameters += sizes[slot].parameters;
    group.active += runs * sizes[slot].parameters;
    group.multiplies += runs * sizes[slot].multiplies;
  });
  return group;
}

/** How often a token runs each slot, on average. */
function runsPerToken({ experts, expertOf, slots, router }: MoeFfnSpec, usage?: readonly number[]): number[] {
  const masked = new Set(router.masked);
  const open = experts - masked.size;
  const choices = Math.min(router.topK, open);
  return slots.map((_, slot) => {
    const outputs = expertOf.flatMap((of, output) => (of === slot && !masked.has(output) ? [output] : []));
    if (usage) return choices * outputs.reduce((sum, output) => sum + usage[output], 0);
    if (!router.combine) return (choices * outputs.length) / open;
    // one minus the chance that no choice, drawn without replacement, falls on the slot
    let missed = 1;
    for (let drawn = 0; drawn < choices; drawn++) missed *= Math.max(0, open - outputs.length - drawn) / (open - drawn);
    return 1 - missed;
  });
}

function normSize(norm: NormSpec, width: number): number {
  return norm.bias ? 2 * width : width;
}
