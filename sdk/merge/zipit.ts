import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import type { ZipMatching } from "../profile/observers/zip-matching.js";
import { statistic } from "../profile/statistic.js";
import { type AveragingOptions, planRandomGroups } from "./averaging.js";

export interface ZipitOptions extends AveragingOptions {
  /**
   * what a place's outgoing weights are: "zip" (default), the sum over its neurons divided by the number of experts, as
   * arXiv:2305.03053 has it; "mean", their mean, like its incoming ones
   */
  zipBy?: "zip" | "mean";
}

/**
 * The baseline "ZipIt" of arXiv:2310.01334, table 2: random groups, and the hidden neurons of all members merged pair
 * by pair, the most correlated first, within and across experts (arXiv:2305.03053).
 *
 * @example zipit.plan(profile, { keep: 4, seed: 1 })  // of a profile with the statistic "zip.4.1"
 */
export const zipit: Method<ZipitOptions> = {
  name: "zipit",
  paper: "arXiv:2305.03053",
  kind: "merge",
  about: "random groups whose hidden neurons are merged by correlation, within and across experts",
  needs: [],
  needsFor: ({ keep, seed = 0 }) => [`zip.${keep}.${seed}`],
  options: ["keep", "exclude", "seed", "zipBy"],
  plan: (profile, options) =>
    planRandomGroups("zipit", profile, options, (members, layer) => {
      const zipBy = option("merge", "zipBy", options.zipBy, ["zip", "mean"], "zip");
      if (members.length === 1) return { from: [{ expert: members[0], weight: 1 }] };
      const name = `zip.${options.keep}.${options.seed ?? 0}`;
      const matching = statistic<ZipMatching>(profile, layer, name, name);
      return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
        zip: Object.fromEntries(members.map((expert) => [expert, matching[expert]])),
        ...(zipBy === "mean" && { zipBy }) };
    }),
};
