import type { LayerId } from "../model/spec.js";
import { overRoutedTokens } from "./observers/named.js";
import type { Profile } from "./profile.js";
import type { Statistic } from "./statistic.js";

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

/** layers that a warning names; the rest are counted */
const NAMED = 4;

/**
 * What to tell about experts that saw too few tokens; undefined when there are none, or when nothing that is read was
 * measured over an expert's own tokens: its usage, its router logits and its mean output over all tokens are exact
 * however rarely it was chosen.
 *
 * @param read statistics that somebody reads
 * @example starvedWarning(profile, ["saliency"])  // "profile: 2 of 16 experts saw fewer than …"
 */
export function starvedWarning(profile: Profile, read: readonly Statistic[], least = 8): string | undefined {
  // without the hash of its groups
  const over = [...new Set(read.filter(overRoutedTokens).map((name) => name.replace(/\.[0-9a-f]{12}$/, "")))];
  const starved = over.length > 0 ? starvedExperts(profile, least) : [];
  if (starved.length === 0) return undefined;
  const layers = [...new Set(starved.map(({ layer }) => layer))];
  const named = layers.slice(0, NAMED).map((layer) =>
    `${layer}: ${starved.filter((one) => one.layer === layer).length}`
  );
  const more = layers.length > NAMED ? `, ${layers.length - NAMED} layers more` : "";
  const all = Object.values(profile.layers).reduce((sum, { counts }) => sum + counts.length, 0);
  return `profile: ${starved.length} of ${all} experts saw fewer than ${least} tokens (${
    named.join(", ")
  }${more}), too ` + `few for ${over.join(", ")}. Profile more { items } if that is not how the data is.`;
}
