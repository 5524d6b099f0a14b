import { byFallingUsage } from "../method/falling-order.js";
import { keptOverLayers } from "../method/kept-over-layers.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone, keep, scope } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan } from "../plan/plan.js";
import { statistic } from "../profile/statistic.js";

/**
 * Mixture of novices and experts, MoNE, arXiv:2507.00390: an expert that is seldom used and whose output varies little
 * becomes the constant vector that it gave on average. The router stays, so a token that chose it gets that vector.
 *
 * @example await planWith(mone, profile, { keep: 0.5 })
 */
export const mone = method({
  name: "mone",
  paper: "arXiv:2507.00390",
  kind: "prune",
  about: "replaces seldom used experts of steady output by the vector that they give on average",
  options: {
    keep,
    frequency: {
      about: `how much an expert is used: "choices", how often it is chosen; "gates", the sum of its gates, as in the
        released code`,
      words: ["choices", "gates"],
      default: "choices",
    },
    scope,
    exclude: excludeNone,
  },
  needs: ({ frequency }) => ["routedMeanOutput", "outputSpread", ...(frequency === "gates" ? ["gateMass"] : [])],
  plan(profile, { keep, frequency, scope, exclude }) {
    const layers = mergedLayers(profile, exclude);
    const of = <T>(id: string, name: string) => statistic<T>(profile, id, name, name);
    // section 3.2: access frequency times output variance
    const scores = layers.map((id) => {
      const { counts, tokens } = profile.layers[id];
      const used = frequency === "gates" ? of<number[]>(id, "gateMass") : counts;
      return of<number[]>(id, "outputSpread").map((spread, e) => (spread * used[e]) / Math.max(1, tokens));
    });
    const counts = layers.map((id) => Math.round(keepPerLayer(keep, profile.layers[id].experts, "prune")));
    const kept = scope === "model"
      ? keptOverLayers(scores, counts, layers.map(() => 0))
      : scores.map((row, layer) => byFallingUsage(row).slice(0, counts[layer]));
    const changed = layers.flatMap((id, layer): [string, LayerPlan][] => {
      const mean = of<number[][]>(id, "routedMeanOutput");
      if (kept[layer].length === mean.length) return [];
      return [[id, { expertOf: mean.map((_, e) => e), slots: mean.map((value, expert) => ({
        from: [{ expert, weight: 1 }],
        ...(!kept[layer].includes(expert) && { form: { form: "constant" as const, value } }),
      })) }]];
    });
    return { layers: Object.fromEntries(changed) };
  },
});
