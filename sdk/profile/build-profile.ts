import type { LayerId } from "../model/spec.js";
import type { Observer } from "./observer.js";
import type { LayerProfile, Profile } from "./profile.js";

export interface ProfileParts {
  model: Profile["model"];
  data: Profile["data"];
  /** non-padding tokens seen, per stack; default: the tokens that the layers of each stack saw */
  tokens?: Profile["tokens"];
  provenance?: Record<string, unknown>;
}

/** Observers whose result is not a field of its own name. */
const fieldOf: Record<string, (result: unknown) => Partial<LayerProfile>> = {
  usage: (result) => result as Partial<LayerProfile>,
  routerLogits: (result) => ({ routerLogitCosine: result as number[][] }),
};

/**
 * Puts what observers of a sweep saw into a profile: each statistic under its observer's name, usage as `counts`
 * and `tokens`, router-logit cosines as `routerLogitCosine`.
 *
 * @param observers of one sweep, the usage observer among them
 * @throws Error when usage was not observed: every method and every warning reads it
 */
export function buildProfile(observers: readonly Observer[], parts: ProfileParts): Profile {
  return profileOf(layerProfiles(observers), parts);
}

/** What observers saw of each layer. */
export function layerProfiles(observers: readonly Observer[]): Record<LayerId, LayerProfile> {
  const layers: Record<LayerId, LayerProfile> = {};
  const usage = observers.find(({ name }) => name === "usage");
  if (!usage) throw new Error("a profile needs the usage observer");
  for (const observer of [usage, ...observers.filter((other) => other !== usage)]) {
    for (const [layer, result] of Object.entries(observer.result())) {
      const fields = fieldOf[observer.name]?.(result) ?? { [observer.name]: result };
      layers[layer] = Object.assign(layers[layer] ?? {}, fields) as LayerProfile;
    }
  }
  for (const layer of Object.values(layers)) layer.experts = layer.counts.length;
  return layers;
}

export function profileOf(
  layers: Record<LayerId, LayerProfile>,
  { model, data, tokens, provenance }: ProfileParts,
): Profile {
  return { version: 1, model, data, tokens: tokens ?? tokensOf(layers), layers, ...(provenance && { provenance }) };
}

function tokensOf(layers: Record<LayerId, LayerProfile>): Profile["tokens"] {
  const most = (encoder: boolean) =>
    Math.max(0,
      ...Object.entries(layers).flatMap(
        ([id, layer]) => (id.startsWith("encoder.") === encoder ? [layer.tokens] : [])
      ));
  const encoder = most(true);
  return { ...(encoder > 0 && { encoder }), decoder: most(false) };
}
