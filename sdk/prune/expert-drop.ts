import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { excludeNone, keep } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan } from "../plan/plan.js";
import type { LayerProfile } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";

/**
 * Expert Drop of arXiv:2406.02500: removes the experts that the router gives least to, and their rows of the router;
 * the softmax then runs over the rows that are left. A layer that keeps none loses its block, shared experts with it.
 *
 * @example await planWith(expertDrop, profile, { keep: 0.75 })
 */
export const expertDrop = method({
  name: "expert-drop",
  paper: "arXiv:2406.02500",
  kind: "prune",
  about: "removes the experts that the router gives least to, in each layer or over all together",
  options: {
    keep: { ...keep, about: "experts that stay in a layer, on average: a share in (0, 1] or a count in (1, E]" },
    scope: {
      about: `"global": the best over all layers together; "layer-wise": as many in every layer`,
      words: ["global", "layer-wise"],
      default: "global",
    },
    score: {
      about: `mean over tokens of the softmax over all experts: "all", wherever it falls; "chosen", of the tokens that
        chose the expert (as released for DeepSeek)`,
      words: ["all", "chosen"],
      default: "all",
    },
    reverse: { about: "removes the experts that the router gives most to: a control", default: false },
    rows: {
      about: `the router's rows of what goes: "cut"; "mask", kept and never chosen, which computes the same; "keep", and
        tokens that choose one lose its part`,
      words: ["cut", "mask", "keep"],
      default: "cut",
    },
    exclude: excludeNone,
  },
  needs: ({ score }) => [score === "all" ? "gateMass" : "chosenGateMass"],

  plan(profile, { keep, scope, score, reverse, rows, exclude }) {
    const key = score === "all" ? "gateMass" : "chosenGateMass";
    const layers = mergedLayers(profile, exclude);
    const scores = layers.map((layer) =>
      statistic<number[]>(profile, layer, key, key).map((mass) =>
        (reverse ? -1 : 1) * mass / Math.max(1, profile.layers[layer].tokens)
      )
    );
    const counts = scores.map((row) => keepPerLayer(keep, row.length, "prune"));
    const best = new Set(
      byFallingUsage(scores.flat()).slice(0, Math.round(counts.reduce((sum, count) => sum + count, 0))),
    );
    const changes: Changes = { layers: {} };
    let first = 0;
    layers.forEach((layer, index) => {
      const row = scores[index];
      const kept = scope === "global"
        ? row.flatMap((_, e) => (best.has(first + e) ? [e] : []))
        : byFallingUsage(row).slice(0, Math.round(counts[index])).sort((a, b) => a - b);
      first += row.length;
      if (kept.length < row.length) changes.layers[layer] = without(profile.layers[layer], kept, rows);
    });
    return changes;
  },
});

/** What becomes of a layer; a token that chose more experts than there are takes them all. */
function without({ experts, counts, tokens }: LayerProfile, kept: number[], rows: "cut" | "mask" | "keep"): LayerPlan {
  if (kept.length === 0) return { drop: "ffn" };
  const { router: { mask } = {}, ...plan } = keepExperts(kept, experts);
  if (rows === "keep") return plan;
  const taken = Math.round(counts.reduce((sum, count) => sum + count, 0) / Math.max(1, tokens));
  return { ...plan,
    router: { ...(rows === "cut" ? { rows: kept } : { mask }), ...(kept.length < taken && { topK: kept.length }) } };
}
