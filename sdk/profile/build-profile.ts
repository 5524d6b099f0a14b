import type { LayerId } from "../model/spec.js";
import type { Observer, TensorMap } from "./observer.js";
import type { Usage } from "./observers/usage.js";
import type { Profile } from "./profile.js";

export interface ProfileParts {
  model: Profile["model"];
  data: Profile["data"];
  /** non-padding tokens seen, per stack; default: the tokens that the MoE layers of each stack saw */
  tokens?: Profile["tokens"];
  provenance?: Record<string, unknown>;
}

type Parts = Pick<Profile, "layers" | "blocks" | "weights">;

/** What was measured of a model or a part of it: what goes into a profile, and what stands beside it. */
export interface Measured extends Required<Parts> {
  tensors: Record<string, TensorMap>;
}

/**
 * Puts what observers of a sweep saw into a profile: each statistic under its observer's name, usage as `counts`,
 * `tokens` and `expertOf`.
 *
 * @param observers of one sweep, the usage observer among them
 * @throws Error when usage was not observed: every method and every warning reads it
 */
export function buildProfile(observers: readonly Observer[], parts: ProfileParts): Profile {
  if (!observers.some(({ name }) => name === "usage")) throw new Error("a profile needs the usage observer");
  return profileOf(measuredBy(observers), parts);
}

/** What observers saw so far. */
export function measuredBy(observers: readonly Observer[]): Measured {
  const measured: Measured = { layers: {}, blocks: {}, weights: {}, tensors: {} };
  const usage = observers.find(({ name }) => name === "usage");
  for (const [layer, { counts, ...seen }] of Object.entries((usage?.result() ?? {}) as Record<LayerId, Usage>))
    measured.layers[layer] = { experts: counts.length, counts, ...seen };
  for (const observer of observers) {
    const { of = "layers", name } = observer;
    if (observer === usage) continue;
    const part = measured[of] as Record<string, Record<string, unknown>>;
    for (const [id, result] of Object.entries(observer.result())) part[id] = { ...part[id], [name]: result };
    const tensors = observer.tensors?.();
    if (tensors && tensors.size > 0) measured.tensors[name] = tensors;
  }
  return measured;
}

/** Both together, as measurements of different layers or of different statistics are; of the same the other's. */
export function joined(one: Measured, other: Measured): Measured {
  const tensors = { ...one.tensors };
  for (const [name, added] of Object.entries(other.tensors))
    tensors[name] = new Map([...(tensors[name] ?? []), ...added]);
  return { ...joinedParts(one, other), tensors };
}

/** The same of what goes into a profile. */
export function joinedParts(one: Parts, other: Parts): Required<Parts> {
  const both = <T extends object>(a: Record<string, T> = {}, b: Record<string, T> = {}) => ({ ...a,
    ...Object.fromEntries(Object.entries(b).map(([id, statistics]) => [id, { ...a[id], ...statistics }])) });
  return { layers: both(one.layers, other.layers), blocks: both(one.blocks, other.blocks),
    weights: both(one.weights, other.weights) };
}

export function profileOf(
  { layers, blocks = {}, weights = {} }: Parts,
  { model, data, tokens, provenance }: ProfileParts,
): Profile {
  const some = <T extends object>(part: T) => Object.keys(part).length > 0;
  return { version: 1, model, data, tokens: tokens ?? tokensOf(layers), layers, ...(some(blocks) && { blocks }),
    ...(some(weights) && { weights }), ...(provenance && { provenance }) };
}

function tokensOf(layers: Profile["layers"]): Profile["tokens"] {
  const most = (encoder: boolean) =>
    Math.max(0,
      ...Object.entries(layers).flatMap(
        ([id, layer]) => (id.startsWith("encoder.") === encoder ? [layer.tokens] : [])
      ));
  const encoder = most(true);
  return { ...(encoder > 0 && { encoder }), decoder: most(false) };
}
