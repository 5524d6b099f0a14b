import { keepPerLayer } from "../plan/keep.js";
import type { Method, Plan, SlotRecipe } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";
import { Rng } from "../tensor/rng.js";
import { mergedLayers } from "./merged-layers.js";
import { randomGroups } from "./random-groups.js";

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
export function planRandomGroups(method: string, profile: Profile, options: AveragingOptions,
  merge: (members: number[], layer: string) => SlotRecipe): Plan {
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

/**
 * The random groups of one layer: they follow from the seed and the layer alone, so that every baseline has the same.
 */
export function groupsOf(layer: string, experts: number, groups: number,
  seed = 0): { labels: number[]; members: number[][] } {
  const labels = randomGroups(experts, groups, new Rng(`${seed} ${layer}`));
  return { labels,
    members: Array.from({ length: groups },
      (_, group) => labels.flatMap((label, expert) => (label === group ? [expert] : []))) };
}
