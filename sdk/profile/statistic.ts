import { MoeError } from "../errors.js";
import type { LayerId } from "../model/spec.js";
import type { LayerProfile, Profile } from "./profile.js";

/**
 * Takes one statistic of one layer out of a profile.
 *
 * @param key field of LayerProfile, e.g. "routerLogitCosine"
 * @param observer the observer that would have measured it, for the error
 * @throws MoeError `statistic-missing`
 */
export function statistic<T>(profile: Profile, layer: LayerId, key: keyof LayerProfile & string, observer: string): T {
  const value = profile.layers[layer]?.[key];
  if (value === undefined) {
    throw new MoeError("statistic-missing",
      `plan: the profile has no ${key} for ${layer}; it holds `
        + `${Object.keys(profile.layers[layer] ?? {}).join(", ") || "nothing"} there. Profile again with the `
        + `observer "${observer}".`);
  }
  return value as T;
}

/** Statistics that a method reads; observers provide them. */
export type Statistic = "usage" | "routerLogits" | "meanOutput" | "meanInput" | "coactivation" | (string & {});
