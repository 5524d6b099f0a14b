import { MoeError } from "../errors.js";
import type { Method } from "../plan/plan.js";
import type { ActivationMatching } from "../profile/observers/activation-matching.js";
import { statistic } from "../profile/statistic.js";
import { planRandomGroups, type AveragingOptions } from "./averaging.js";

/**
 * The baseline "REPAIR" of arXiv:2310.01334, table 2, as its code ran it: random groups, activation matching to the
 * group's first member, plain means. The re-normalisation that gave REPAIR (arXiv:2211.08403) its name is not part of it.
 */
export const repair: Method<AveragingOptions> = {
  name: "repair",
  paper: "arXiv:2211.08403",
  kind: "merge",
  about: "plain means of random groups after activation matching",
  needs: ["activationMatching.all"],
  options: ["keep", "exclude", "seed"],
  plan: (profile, options) => planRandomGroups("repair", profile, options, (members, layer) => {
    const permutations = statistic<ActivationMatching>(profile, layer, "activationMatching", "activationMatching.all")[members[0]];
    if (members.length > 1 && !members.slice(1).every((expert) => permutations?.[expert])) {
      throw new MoeError("statistic-missing", `merge: neurons of ${layer} were not matched for every pair of experts, which random groups need. Profile again with the observer "activationMatching.all".`);
    }
    return { from: members.map((expert) => ({ expert, weight: 1 / members.length })), align: { by: "activations", to: "leader", permutations: permutations ?? {} } };
  }),
};
