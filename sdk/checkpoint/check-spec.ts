import { MoeError } from "../errors.js";
import type { AttentionSpec } from "../model/attention-spec.js";
import { isFree, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";

/** Ten times the experts of all layers of the largest published models together. */
const MAX_SLOTS = 1_000_000;
/**
 * A length beyond this is no model's: the largest vocabularies have some 300 thousand words, the widest layers 65
 * thousand numbers.
 */
const MAX_LENGTH = 2 ** 31;

const ATTENTION_LENGTHS = ["heads", "kvHeads", "headDim", "kvRank", "nopeDim", "ropeDim", "valueDim", "inner", "groups",
  "kernel", "state", "stepRank", "keyHeads", "valueHeads", "keyDim", "window", "chunk"];

/**
 * Checks the numbers of a spec that came from a configuration, before anything is made of them.
 * @throws MoeError `bad-config` with the number and what is accepted
 */
export function checkSpec(spec: ModelSpec): void {
  const layers = [...(spec.encoder?.layers ?? []), ...(spec.decoder?.layers ?? [])];
  const check = (name: string, value: unknown) => {
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_LENGTH)
      throw badConfig(spec, `${name} is ${shown(value)}`, "a whole number from 1");
  };
  check("vocab", spec.vocab);
  check("width", spec.width);
  check("layers", spec.decoder?.layers?.length);
  for (const { attention, ffn, norm } of layers) {
    if (attention) checkAttention(attention, spec, check);
    if (ffn)
      check("the width of a feed-forward block", ffn.kind === "dense" ? ffn.width : ffn.slots?.find((slot) =>
        !isFree(slot)
      )?.width ?? 1);
    if (ffn?.kind === "moe") checkRouter(ffn, spec);
    if (!(typeof norm?.eps === "number" && norm.eps >= 0 && norm.eps < Infinity))
      throw badConfig(spec, `eps of a norm is ${shown(norm?.eps)}`, "a number from 0");
  }
}

function checkAttention(
  attention: AttentionSpec,
  spec: ModelSpec,
  check: (name: string, value: unknown) => void,
): void {
  for (const key of ATTENTION_LENGTHS) if (key in attention) check(key, attention[key as never]);
  if ("rotary" in attention && attention.rotary) {
    const { theta, dim, scaling } = attention.rotary;
    if (!(typeof theta === "number" && theta > 0 && theta < Infinity))
      throw badConfig(spec, `the base of rotary positions is ${shown(theta)}`, "a number above 0");
    const head = attention.kind === "latent" ? attention.ropeDim : attention.headDim;
    if (!Number.isInteger(dim) || dim < 0 || dim % 2 > 0 || dim > head)
      throw badConfig(spec, `rotary positions turn ${shown(dim)} of ${shown(head)} channels of a head`,
        "an even part of them");
    for (const part of scaling?.kind === "longrope" ? (["short", "long"] as const) : []) {
      const factors = (scaling as { short: unknown; long: unknown })[part];
      const right = Array.isArray(factors) && factors.length === dim / 2
        && factors.every((factor) => typeof factor === "number" && factor > 0);
      if (!right)
        throw badConfig(spec, `${part}_factor of rotary positions is ${shown(factors)}`,
          `${dim / 2} numbers above 0, one for each pair of channels`);
    }
  }
  if (attention.kind === "softmax" && attention.heads % attention.kvHeads > 0)
    throw badConfig(spec, `${attention.heads} heads share ${attention.kvHeads} keys`,
      "a number of heads that is a multiple of the keys'");
  if (attention.kind === "mamba-2" && attention.heads % attention.groups > 0)
    throw badConfig(spec, `${attention.heads} heads stand in ${attention.groups} groups`, "groups of one size");
}

function checkRouter({ experts, router }: MoeFfnSpec, spec: ModelSpec): void {
  const { topK, groups } = router;
  if (!Number.isInteger(topK) || topK < 1 || topK > experts)
    throw badConfig(spec, `the number of experts per token is ${shown(topK)}`,
      `a whole number from 1 to ${experts}, the number of experts`);
  if (!groups) return;
  const { count, keep } = groups;
  if (!Number.isInteger(count) || count < 1 || experts % count > 0)
    throw badConfig(spec, `${experts} experts stand in ${shown(count)} groups`, "groups of one size");
  if (!Number.isInteger(keep) || keep < 1 || keep > count)
    throw badConfig(spec, `the number of groups per token is ${shown(keep)}`, `a whole number from 1 to ${count}`);
}

/** Counts the experts of all layers while they are made. */
export function slotCounter(family: string): (experts: unknown) => void {
  let slots = 0;
  return (experts) => {
    if (!Number.isInteger(experts) || (experts as number) < 1 || (slots += experts as number) > MAX_SLOTS) {
      throw badConfig({ family }, `the number of experts is ${shown(experts)}`,
        `a whole number from 1, and at most ${MAX_SLOTS} in all layers together`);
    }
  };
}

export function badConfig({ family }: { family: string }, seen: string, accepted: string): MoeError {
  return new MoeError("bad-config",
    `load: ${seen} by config.json and family "${family}"; accepted is ${accepted}. Check that the `
      + "configuration is complete.");
}

function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "not there");
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
