import type { LayerId } from "../model/spec.js";
import type { Profile } from "./profile.js";

export interface StarvedExpert { layer: LayerId; expert: number; tokens: number }

/**
 * Lists the experts that saw too few tokens for a statistic over routed tokens to mean much.
 *
 * @param least tokens that an expert needs; default 8
 * @example starvedExperts(profile)  // [{ layer: "layers.0", expert: 3, tokens: 1 }]
 */
export function starvedExperts(profile: Profile, least = 8): StarvedExpert[] {
  return Object.entries(profile.layers).flatMap(([layer, { counts }]) =>
    counts.flatMap((tokens, expert) => (tokens < least ? [{ layer, expert, tokens }] : [])));
}
