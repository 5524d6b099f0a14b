import { MoeError, suggest } from "../errors.js";
import type { LayerId } from "../model/spec.js";
import type { Profile } from "../profile/profile.js";

/**
 * The layers that a method changes, in running order: all that were profiled, without the excluded ones.
 *
 * @param exclude layers that stay as they are; default: the first MoE layer of the encoder, if there is one
 * @throws MoeError `unknown-layer`
 */
export function mergedLayers(profile: Profile, exclude?: LayerId[]): LayerId[] {
  const layers = Object.keys(profile.layers);
  const unknown = exclude?.find((layer) => !layers.includes(layer));
  if (unknown !== undefined)
    throw new MoeError("unknown-layer",
      `plan: exclude names ${unknown}, which the profile does not hold. ${suggest(unknown, layers)}`);
  const excluded = exclude ?? layers.filter((layer) => layer.startsWith("encoder.")).slice(0, 1);
  return layers.filter((layer) => !excluded.includes(layer));
}
