import type { LayerId } from "../model/spec.js";
import type { Observer } from "./observer.js";
import type { Usage } from "./observers/usage.js";
import type { LayerProfile, Profile } from "./profile.js";

export interface ProfileParts {
  model: Profile["model"];
  data: Profile["data"];
  /** non-padding tokens seen, per stack; default: the tokens that the layers of each stack saw */
  tokens?: Profile["tokens"];
  provenance?: Record<string, unknown>;
}

/**
 * Puts what observers of a sweep saw into a profile: each statistic under its observer's name, usage as `counts`,
 * `tokens` and `expertOf`.
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
  for (const [layer, { counts, ...seen }] of Object.entries(usage.result() as Record<LayerId, Usage>))
    layers[layer] = { experts: counts.length, counts, ...seen };
  for (const observer of observers) {
    if (observer === usage) continue;
    for (const [layer, result] of Object.entries(observer.result()))
      layers[layer] = { ...layers[layer], [observer.name]: result };
  }
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
