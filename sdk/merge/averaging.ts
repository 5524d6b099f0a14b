import { groupsOf } from "../match/random-groups.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Plan, SlotRecipe } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";

export interface AveragingOptions {
  /** groups of every merged layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
  /** of the groups; default 0 */
  seed?: number;
}

/**
 * The baseline "Averaging" of arXiv:2310.01334, table 2: random groups of about equal size, plain means.
 *
 * @example averaging.plan(profile, { keep: 4, seed: 1 })
 */
export const averaging: Method<AveragingOptions> = {
  name: "averaging",
  paper: "arXiv:2310.01334",
  kind: "merge",
  about: "plain means of random groups, the baseline of every merging paper",
  needs: [],
  options: ["keep", "exclude", "seed"],
  plan: (profile, options) =>
    planRandomGroups("averaging", profile, options,
      (members) => ({ from: members.map((expert) => ({ expert, weight: 1 / members.length })) })),
};

/**
 * A plan that merges random groups in every layer, each by the same rule: what the merging baselines of the paper
 * share.
 */
export function planRandomGroups(
  method: string,
  profile: Profile,
  options: AveragingOptions,
  merge: (members: number[], layer: string) => SlotRecipe,
): Plan {
  const plan: Plan = { version: 1, for: profile.model.fingerprint, method, paper: "arXiv:2310.01334",
    options: { ...options }, layers: {} };
  for (const layer of mergedLayers(profile, options.exclude)) {
    const { experts } = profile.layers[layer];
    const groups = Math.round(keepPerLayer(options.keep, experts, "merge"));
    if (groups === experts) continue;
    const { labels, members } = groupsOf(layer, experts, groups, options.seed);
    plan.layers[layer] = { slots: members.map((group) => merge(group, layer)), expertOf: labels };
  }
  return plan;
}
