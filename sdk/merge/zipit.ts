import { method } from "../method/method.js";
import type { ZipMatching } from "../profile/observers/zip-matching.js";
import { statistic } from "../profile/statistic.js";
import { mergeRandomGroups, randomGroupOptions } from "./averaging.js";

/**
 * The baseline "ZipIt" of arXiv:2310.01334, table 2: random groups, and the hidden neurons of all members merged pair
 * by pair, the most correlated first, within and across experts (arXiv:2305.03053).
 *
 * @example await planWith(zipit, profile, { keep: 4, seed: 1 })  // of a profile with the statistic "zip.4.1"
 */
export const zipit = method({
  name: "zipit",
  paper: "arXiv:2305.03053",
  baselineOf: "arXiv:2310.01334",
  kind: "merge",
  about: "random groups whose hidden neurons are merged by correlation, within and across experts",
  options: {
    ...randomGroupOptions,
    zipBy: {
      about: `a place's outgoing weights: "zip", the sum over its neurons divided by the number of experts, as
        arXiv:2305.03053 has it; "mean", their mean, like its incoming ones`,
      words: ["zip", "mean"],
      default: "zip",
    },
  },
  needs: ({ keep, seed }) => [`zip.${keep}.${seed}`],
  plan: (profile, { zipBy, ...options }) =>
    mergeRandomGroups(profile, options, (members, layer) => {
      if (members.length === 1) return { from: [{ expert: members[0], weight: 1 }] };
      const name = `zip.${options.keep}.${options.seed}`;
      const matching = statistic<ZipMatching>(profile, layer, name, name);
      return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
        zip: Object.fromEntries(members.map((expert) => [expert, matching[expert]])),
        ...(zipBy === "mean" && { zipBy }) };
    }),
});
