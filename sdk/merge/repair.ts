import { method } from "../method/method.js";
import type { ActivationMatching } from "../profile/observers/activation-matching.js";
import { statistic } from "../profile/statistic.js";
import { mergeRandomGroups, randomGroupOptions } from "./averaging.js";

/**
 * The baseline "REPAIR" of arXiv:2310.01334, table 2, as its code ran it: random groups, activation matching to the
 * group's first member, plain means. The re-normalisation that gave REPAIR (arXiv:2211.08403) its name is not part of
 * it.
 */
export const repair = method({
  name: "repair",
  paper: "arXiv:2211.08403",
  baselineOf: "arXiv:2310.01334",
  kind: "merge",
  about: "plain means of random groups after activation matching",
  options: randomGroupOptions,
  needs: ["activationMatching.all"],
  plan: (profile, options) =>
    mergeRandomGroups(profile, options, (members, layer) => {
      const permutations =
        statistic<ActivationMatching>(profile, layer, "activationMatching.all", "activationMatching.all")[members[0]];
      return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
        align: { by: "activations", to: "leader", permutations } };
    }),
});
