import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan, Plan } from "../plan/plan.js";
import { statistic } from "../profile/statistic.js";

export interface MeoOptions {
  /** experts that are merged for an input: a share in (0, 1] or a count in (1, E]; default 2 */
  keep?: number;
  /**
   * What shares one gate. "sequence" (default): every sequence is routed by the mean of its inputs, and runs through an
   * expert made for it; nothing is stored less. "task": one expert for all inputs, made from the experts that the
   * router
   * leans to most on the profile's data; the others go.
   */
  level?: "sequence" | "task";
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
}

/**
 * Merging experts into one when they run: MEO, arXiv:2310.09832. The weights of the chosen experts are added up by
 * their gates before they are applied. With "sequence" a token's result depends on the tokens after it, so layers under
 * a
 * causal mask take "task" alone.
 *
 * @example meo.plan(profile, { keep: 4 })
 */
export const meo: Method<MeoOptions> = {
  name: "meo",
  paper: "arXiv:2310.09832",
  kind: "merge",
  about: "adds up the weights of the chosen experts before running them, for each sequence or once for a task",
  needs: ["usage", "gateMass"],
  options: ["keep", "level", "exclude"],

  plan(profile, options): Plan {
    const level = option("merge", "level", options.level, ["sequence", "task"], "sequence");
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "meo", paper: "arXiv:2310.09832",
      options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude)) {
      const { experts } = profile.layers[layer];
      const count = Math.round(keepPerLayer(options.keep ?? Math.min(2, experts), experts, "merge"));
      plan.layers[layer] = level === "sequence"
        ? { router: { topK: count, merge: "sequence" } }
        : oneForAll(statistic<number[]>(profile, layer, "gateMass", "gateMass"), count);
    }
    return plan;
  },
};

/** one expert from the ones with the largest gate mass, in proportion to it; every router output leads to it */
function oneForAll(mass: number[], count: number): LayerPlan {
  const chosen = byFallingUsage(mass).slice(0, count);
  const total = chosen.reduce((sum, expert) => sum + mass[expert], 0);
  return { slots: [{ from: chosen.map((expert) => ({ expert, weight: mass[expert] / total })) }],
    expertOf: mass.map(() => 0) };
}
