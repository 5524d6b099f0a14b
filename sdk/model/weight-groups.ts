import type { ExpectedTensor } from "./expected-tensor.js";
import { expectedTensors, layerTensors } from "./expected-tensors.js";
import { expertSize } from "./expert-size.js";
import { type ExpertSpec, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "./spec.js";

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
  /** multiply-adds for a sequence, beside those of its tokens */
  multipliesPerSequence?: number;
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
  const groups: WeightGroup[] = [];
  for (const { name, shape } of expectedTensors({ ...spec, decoder: { ...spec.decoder, layers: [] },
    ...(spec.encoder && { encoder: { ...spec.encoder, layers: [] } }) })) {
    const part = name.includes("finalNorm") ? "norms" : name.startsWith("head") ? "head" : "embedding";
    groups.push(
      everyToken(part, part === "head" ? "logits" : name.startsWith("encoder.") ? "source" : "target", size(shape), 0),
    );
  }
  // a tied head multiplies with the embedding, which is counted above
  groups.push(everyToken("head", "logits", 0, vocab * width));
  for (const stack of ["encoder", "decoder"] as const) {
    const sees = stack === "encoder" ? "source" : "target";
    spec[stack]?.layers.forEach((layer, index) => {
      for (const tensor of layerTensors(withoutExperts(layer), width))
        if (!tensor.index) groups.push(layerWeight(tensor, sees, layer));
      if (layer.ffn?.kind === "moe") groups.push(expertGroup(layer.ffn, width, sees, usage[layerId(stack, index)]));
    });
  }
  return groups;
}

/** Any other name is a way to mix tokens and counts as attention. */
const PARTS: Record<string, Part> = { norm: "norms", attention: "attention", cross: "attention", ffn: "dense",
  shared: "shared", sharedGate: "shared", expertsBias: "experts", latentDown: "experts", latentUp: "experts",
  router: "routers" };

/** A weight by its canonical name in the layer: vectors and tables are added, matrices multiply. */
function layerWeight(
  { name, shape, met: ofForm = 1 }: ExpectedTensor,
  sees: WeightGroup["sees"],
  { attention }: LayerSpec,
): WeightGroup {
  const matrix = shape.length > 1 && !name.endsWith("relativeBias");
  // keys and values of cross-attention are made of the encoder's tokens
  const reads = /^cross\.[kv]($|\.)/.test(name) ? "source" : sees;
  const group = everyToken(PARTS[name.split(".")[0]] ?? "attention", reads, size(shape), matrix ? size(shape) : 0);
  // projections of attention experts are stacked [E, out, in]; a token meets K of them
  const met = shape.length === 3 && attention?.kind === "routed-heads"
    ? attention.router.topK / attention.experts
    : ofForm;
  return { ...group, active: group.active * met, multiplies: group.multiplies * met };
}

function withoutExperts(layer: LayerSpec): LayerSpec {
  return layer.ffn?.kind === "moe" ? { ...layer, ffn: { ...layer.ffn, slots: [] } } : layer;
}

/** Weights that every token meets. */
function everyToken(part: Part, sees: WeightGroup["sees"], parameters: number, multiplies: number): WeightGroup {
  return { part, sees, parameters, active: parameters, multiplies };
}

function size(shape: number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function expertGroup(
  ffn: MoeFfnSpec,
  width: number,
  sees: WeightGroup["sees"],
  usage?: readonly number[],
): WeightGroup {
  const sizes: ReturnType<typeof expertSize>[] = [];
  // most experts are like the one before
  ffn.slots.forEach((slot, at) =>
    sizes.push(at > 0 && isAlike(slot, ffn.slots[at - 1]) ? sizes[at - 1] : expertSize(slot, ffn, width))
  );
  const group: WeightGroup = { part: "experts", sees, parameters: 0, active: 0, multiplies: 0 };
  runsPerToken(ffn, usage).forEach((runs, slot) => {
    group.parameters += sizes[slot].parameters;
    group.active += runs * sizes[slot].active;
    group.multiplies += runs * sizes[slot].multiplies;
  });
  // the expert of a sequence is made from its K, and every token runs through it alone
  if (ffn.router.merge === "sequence") {
    const K = ffn.router.topK;
    group.multipliesPerSequence = group.active;
    group.active /= K;
    group.multiplies /= K;
  }
  return group;
}

function isAlike(slot: ExpertSpec, other: ExpertSpec): boolean {
  if (slot.form !== other.form || slot.form === "constant" || slot.width !== other.width) return false;
  return slot === other || !("maps" in slot) && !("maps" in other);
}

/** How often a token runs each slot, on average. */
function runsPerToken({ experts, expertOf, slots, router }: MoeFfnSpec, usage?: readonly number[]): number[] {
  const masked = new Set(router.masked);
  const open = experts - masked.size;
  const choices = Math.min(router.topK, open);
  const outputsOf = slots.map(() => 0), shares = slots.map(() => 0);
  expertOf.forEach((slot, output) => {
    if (slot < 0 || masked.has(output)) return;
    outputsOf[slot]++;
    if (usage) shares[slot] += usage[output];
  });
  return outputsOf.map((outputs, slot) => {
    if (usage) return choices * shares[slot];
    if (!router.combine) return (choices * outputs) / open;
    // one minus the chance that no choice, drawn without replacement, falls on the slot
    let missed = 1;
    for (let drawn = 0; drawn < choices; drawn++) missed *= Math.max(0, open - outputs - drawn) / (open - drawn);
    return 1 - missed;
  });
}
