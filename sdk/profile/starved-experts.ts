import type { LayerId } from "../model/spec.js";
import type { Profile } from "./profile.js";

export interface StarvedExpert {
  layer: LayerId;
  expert: number;
  tokens: number;
}

/**
 * Lists the experts that saw too few tokens for a statistic over routed tokens to mean much.
 *
 * @param least tokens that an expert needs; default 8
 * @example starvedExperts(profile)  // [{ layer: "layers.0", expert: 3, tokens: 1 }]
 */
export function starvedExperts(profile: Profile, least = 8): StarvedExpert[] {
  return Object.entries(profile.layers).flatMap(([layer, { counts }]) =>
    counts.flatMap((tokens, expert) => (tokens < least ? [{ layer, expert, tokens }] : []))
  );
}

/** experts that a warning names; the rest are counted */
const NAMED = 12;

/**
 * What to tell about experts that saw too few tokens, by name; undefined when there are none.
 *
 * @example starvedWarning(profile)  // "profile: 2 experts saw fewer than 8 tokens: layers.0 expert 3 (1), …"
 */
export function starvedWarning(profile: Profile, least = 8): string | undefined {
  const starved = starvedExperts(profile, least);
  if (starved.length === 0) return undefined;
  const named = starved.slice(0, NAMED).map(({ layer, expert, tokens }) => `${layer} expert ${expert} (${tokens})`)
    .join(", ");
  const more = starved.length > NAMED ? `, and ${starved.length - NAMED} more` : "";
  return `profile: ${starved.length} experts saw fewer than ${least} tokens: ${named}${more}; what is `
    + "measured over their tokens means little. Profile more items if that is not how the data is.";
}
