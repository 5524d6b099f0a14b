import { byFallingUsage } from "../method/falling-order.js";
import { changeLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeFirst, keep } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan } from "../plan/plan.js";
import { statistic } from "../profile/statistic.js";

/**
 * Merging experts into one when they run: MEO, arXiv:2310.09832. The weights of the chosen experts are added up by
 * their gates before they are applied. With "sequence" a token's result depends on the tokens after it, so layers under
 * a
 * causal mask take "task" alone.
 *
 * @example await planWith(meo, profile, { keep: 4 })
 */
export const meo = method({
  name: "meo",
  paper: "arXiv:2310.09832",
  kind: "merge",
  about: "adds up the weights of the chosen experts before running them, for each sequence or once for a task",
  options: {
    keep: { ...keep, about: "experts that are merged for an input: a share in (0, 1] or a count in (1, E]",
      otherwise: "2" },
    level: {
      about: `what shares one gate. "sequence": every sequence is routed by the mean of its inputs, and runs through an
        expert made for it; nothing is stored less. "task": one expert for all inputs, made from the experts that the
        router leans to most on the profile's data; the others go`,
      words: ["sequence", "task"],
      default: "sequence",
    },
    exclude: excludeFirst,
  },
  needs: ["gateMass"],
  plan: (profile, { keep, level, exclude }) =>
    changeLayers(profile, exclude, ({ experts }, layer) => {
      const count = Math.round(keepPerLayer(keep ?? Math.min(2, experts), experts, "merge"));
      return level === "sequence"
        ? { router: { topK: count, merge: "sequence" } }
        : oneForAll(statistic<number[]>(profile, layer, "gateMass", "gateMass"), count);
    }),
});

/** one expert from the ones with the largest gate mass, in proportion to it; every router output leads to it */
function oneForAll(mass: number[], count: number): LayerPlan {
  const chosen = byFallingUsage(mass).slice(0, count);
  const total = chosen.reduce((sum, expert) => sum + mass[expert], 0);
  return { slots: [{ from: chosen.map((expert) => ({ expert, weight: mass[expert] / total })) }],
    expertOf: mass.map(() => 0) };
}
