import { method } from "../method/method.js";
import { mergeRandomGroups, randomGroupOptions } from "./averaging.js";

/**
 * The baseline "Git Re-basin" of arXiv:2310.01334, table 2: random groups, weight matching (arXiv:2209.04836), plain
 * means.
 */
export const gitRebasin = method({
  name: "git-rebasin",
  paper: "arXiv:2209.04836",
  baselineOf: "arXiv:2310.01334",
  kind: "merge",
  about: "plain means of random groups after weight matching",
  options: {
    ...randomGroupOptions,
    alignTo: {
      about:
        "whose neuron order members take: the layer's first expert, as the paper's baseline ran, or the group's own",
      words: ["first", "leader"],
      default: "first",
    },
  },
  plan: (profile, { alignTo, ...options }) =>
    mergeRandomGroups(profile, options, (members) => ({
      from: members.map((expert) => ({ expert, weight: 1 / members.length })),
      align: { by: "weights", to: alignTo },
    })),
});
