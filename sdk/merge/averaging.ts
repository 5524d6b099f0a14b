import { groupsOf } from "../match/random-groups.js";
import { changeLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import type { Filled } from "../method/options.js";
import { excludeFirst, keep, seed } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { SlotRecipe } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";

/** Options of all baselines that merge random groups. */
export const randomGroupOptions = { keep, exclude: excludeFirst, seed } as const;

/**
 * The baseline "Averaging" of arXiv:2310.01334, table 2: random groups of about equal size, plain means.
 *
 * @example await planWith(averaging, profile, { keep: 4, seed: 1 })
 */
export const averaging = method({
  name: "averaging",
  paper: "arXiv:2310.01334",
  kind: "merge",
  about: "plain means of random groups, the baseline of every merging paper",
  options: randomGroupOptions,
  plan: (profile, options) =>
    mergeRandomGroups(profile, options,
      (members) => ({ from: members.map((expert) => ({ expert, weight: 1 / members.length })) })),
});

/** Merges random groups in every layer, each by the same rule: what the merging baselines of the paper share. */
export function mergeRandomGroups(
  profile: Profile,
  { keep, exclude, seed }: Filled<typeof randomGroupOptions>,
  merge: (members: number[], layer: string) => SlotRecipe,
): Changes {
  return changeLayers(profile, exclude, ({ experts }, layer) => {
    const groups = Math.round(keepPerLayer(keep, experts, "merge"));
    if (groups === experts) return undefined;
    const { labels, members } = groupsOf(layer, experts, groups, seed);
    return { slots: members.map((group) => merge(group, layer)), expertOf: labels };
  });
}
