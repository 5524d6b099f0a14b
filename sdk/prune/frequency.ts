import { dominantExperts } from "../method/dominant-experts.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { excludeFirst, keep } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import { usage } from "../profile/profile.js";
import { keepExperts } from "./keep-experts.js";

/**
 * The baseline "Pruning" of arXiv:2310.01334: keeps the experts that M-SMoE would make leaders and masks the rest,
 * so that their tokens go to the next best expert that is left.
 *
 * @example await planWith(frequency, profile, { keep: 0.25 })
 */
export const frequency = method({
  name: "frequency",
  paper: "arXiv:2310.01334",
  kind: "prune",
  about: "keeps the most used experts over all layers together",
  options: {
    keep: { ...keep, about: "experts that stay in a layer, on average: a share in (0, 1] or a count in (1, E]" },
    ratio: {
      about: `"adaptive": the most used over all layers together; "uniform": the same number in every layer`,
      words: ["adaptive", "uniform"],
      default: "adaptive",
    },
    exclude: excludeFirst,
  },

  plan(profile, { ratio, exclude, ...options }) {
    const changed = mergedLayers(profile, exclude);
    const layers = Object.keys(profile.layers);
    const shares = layers.map((layer) => usage(profile.layers[layer]));
    const keep = shares.map((row) => keepPerLayer(options.keep, row.length, "prune"));
    const excluded = layers.flatMap((layer, index) => (changed.includes(layer) ? [] : [index]));
    const kept = dominantExperts(shares, keep, { ratio, excluded });

    const changes: Changes = { layers: {} };
    layers.forEach((layer, index) => {
      if (!changed.includes(layer) || keep[index] === shares[index].length) return;
      const stay = keepExperts(kept[index], shares[index].length);
      // fewer than a token takes: it takes them all, as with the released code, whose masked choices have gate 0
      const { counts, tokens } = profile.layers[layer];
      const taken = Math.round(counts.reduce((sum, count) => sum + count, 0) / Math.max(1, tokens));
      changes.layers[layer] = kept[index].length < taken
        ? { ...stay, router: { ...stay.router, topK: kept[index].length } }
        : stay;
    });
    return changes;
  },
});
