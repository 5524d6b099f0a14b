import { byFallingUsage } from "../method/falling-order.js";
import { keptOverLayers } from "../method/kept-over-layers.js";
import { changeLayers, mergedLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone, keep, scope } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Saliency } from "../profile/observers/saliency.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";
import { lowestAsTorch } from "./lowest-as-torch.js";

/**
 * Router-weighted expert activation pruning, REAP, arXiv:2510.13999: keeps the same number of experts in every
 * layer, or over all of them together, those with the largest criterion.
 *
 * @example await planWith(reap, profile, { keep: 0.5 })
 */
export const reap = method({
  name: "reap",
  paper: "arXiv:2510.13999",
  kind: "prune",
  about: "keeps the experts with the largest mean gate times output norm",
  options: {
    keep,
    criterion: {
      about:
        `what makes an expert worth keeping; "reap": its mean gate times output norm where it is used; the others are
        those that it was compared with, "frequency" counts choices`,
      words: ["reap", "eanMean", "eanSum", "weightedEanSum", "eanCa", "weightedFrequency", "maxActivation",
        "frequency"],
      default: "reap",
    },
    ties: {
      about: `who stays of equals: "lower", the lower index; "torch", whom the released code's topk leaves over`,
      words: ["lower", "torch"],
      default: "lower",
    },
    scope,
    exclude: excludeNone,
  },
  needs: ["saliency"],
  plan(profile, { keep, criterion, ties, scope, exclude }) {
    const scoreOf = (layer: string) =>
      criterion === "frequency"
        ? profile.layers[layer].counts
        : statistic<Saliency>(profile, layer, "saliency", "saliency")[criterion];
    // a share rounds so that what is dropped is floor(E (1 - keep)), as the reference code counts
    const count = (experts: number) => Math.ceil(keepPerLayer(keep, experts, "prune") - 1e-9);
    const layers = mergedLayers(profile, exclude);
    const pooled = scope === "layer" ? undefined : keptOverLayers(
      layers.map(scoreOf),
      layers.map((id) => count(profile.layers[id].experts)),
      // a token takes as many as before
      layers.map((id) => {
        const { counts, tokens } = profile.layers[id];
        return Math.max(1, Math.round(counts.reduce((sum, count) => sum + count, 0) / Math.max(1, tokens)));
      }),
    );
    return changeLayers(profile, exclude, ({ experts }, layer) => {
      if (pooled) {
        const kept = pooled[layers.indexOf(layer)];
        return kept.length === experts ? undefined : keepExperts(kept, experts);
      }
      const kept = count(experts);
      if (kept === experts) return undefined;
      const score = scoreOf(layer);
      const dropped = ties === "torch" ? lowestAsTorch(score, experts - kept) : byFallingUsage(score).slice(kept);
      return keepExperts(score.map((_, expert) => expert).filter((expert) => !dropped.includes(expert)), experts);
    });
  },
});
