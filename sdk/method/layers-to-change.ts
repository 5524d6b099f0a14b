import { MoeError, suggest } from "../errors.js";
import type { LayerId } from "../model/spec.js";
import type { LayerPlan } from "../plan/plan.js";
import type { LayerProfile, Profile } from "../profile/profile.js";

/**
 * The layers that a method changes, in running order: all that were profiled, without the excluded ones.
 *
 * @param exclude layers that stay as they are; default: the first MoE layer of the encoder, if there is one
 * @throws MoeError `unknown-layer`, `no-experts`
 */
export function mergedLayers(profile: Profile, exclude?: LayerId[]): LayerId[] {
  const layers = Object.keys(profile.layers);
  if (layers.length === 0)
    throw new MoeError("no-experts",
      `plan: ${profile.model.id} has no MoE layer, and this method changes experts. Choose a method for any model, or `
        + "load a Mixture-of-Experts checkpoint.");
  const unknown = exclude?.find((layer) => !layers.includes(layer));
  if (unknown !== undefined)
    throw new MoeError("unknown-layer",
      `plan: exclude names ${unknown}, which the profile does not hold. ${suggest(unknown, layers)}`);
  const excluded = exclude ?? layers.filter((layer) => layer.startsWith("encoder.")).slice(0, 1);
  return layers.filter((layer) => !excluded.includes(layer));
}

/**
 * Changes layer after layer: what most methods do.
 *
 * @param change what becomes of a layer; undefined: it stays
 * @example changeLayers(profile, [], ({ counts, experts }) => keepExperts(byFallingUsage(counts).slice(0, 4), experts))
 */
export function changeLayers(
  profile: Profile,
  exclude: LayerId[] | undefined,
  change: (layer: LayerProfile, id: LayerId) => LayerPlan | undefined,
): { layers: Record<LayerId, LayerPlan> } {
  const layers: Record<LayerId, LayerPlan> = {};
  for (const id of mergedLayers(profile, exclude)) {
    const changed = change(profile.layers[id], id);
    if (changed) layers[id] = changed;
  }
  return { layers };
}
