import type { Method } from "../method/method.js";
import { type AveragingOptions, planRandomGroups } from "./averaging.js";

export interface GitRebasinOptions extends AveragingOptions {
  /**
   * whose neuron order members take: the layer's first expert (default, as the paper's baseline ran) or the group's
   * first member
   */
  alignTo?: "first" | "leader";
}

/**
 * The baseline "Git Re-basin" of arXiv:2310.01334, table 2: random groups, weight matching (arXiv:2209.04836), plain
 * means.
 */
export const gitRebasin: Method<GitRebasinOptions> = {
  name: "git-rebasin",
  paper: "arXiv:2209.04836",
  kind: "merge",
  about: "plain means of random groups after weight matching",
  needs: [],
  options: ["keep", "exclude", "seed", "alignTo"],
  plan: (profile, options) =>
    planRandomGroups("git-rebasin", profile, options, (members) => ({
      from: members.map((expert) => ({ expert, weight: 1 / members.length })),
      align: { by: "weights", to: options.alignTo ?? "first" },
    })),
};
