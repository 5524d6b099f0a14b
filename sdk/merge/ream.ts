import { MoeError } from "../errors.js";
import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone, keep } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan } from "../plan/plan.js";
import { observerNamed } from "../profile/observers/named.js";
import type { Saliency } from "../profile/observers/saliency.js";
import type { LayerProfile } from "../profile/profile.js";
import { cosineSimilarity } from "../tensor/linalg/cosine-similarity.js";

const statistics = ["saliency", "routerLogits", "gatedMeanOutput"] as const;

/**
 * Router-weighted expert activation merging, REAM, arXiv:2604.04356: the experts of the largest REAP score stay; from
 * the best on, each takes the experts that resemble it most and are free yet, up to a size, and is averaged with them
 * by score. Their router rows go. Neurons are aligned by weights; the released code adds a distance of activations.
 *
 * @example await load("nano-decoder").profile({ items: 32 }).merge({ method: "ream", keep: 0.5 })
 */
export const ream = method({
  name: "ream",
  paper: "arXiv:2604.04356",
  kind: "merge",
  about: "keeps the experts of the largest REAP score and merges the others into those that they resemble",
  options: {
    keep,
    groupSize: { about: "members of a group at most", from: 1, whole: true, default: 16 },
    align: { about: "how members' hidden neurons are put into the order of the one that stays",
      words: ["weights", "none"], default: "weights" },
    procedure: {
      about:
        `"sequential": a layer is measured when those before it are merged, one sweep each; "layerwise": as it was`,
      words: ["sequential", "layerwise"],
      default: "sequential",
    },
    exclude: excludeNone,
  },
  needs: ({ procedure }) => (procedure === "layerwise" ? statistics : []),
  async plan(profile, { keep, groupSize, align, procedure, exclude }, lab) {
    const layers: Record<string, LayerPlan> = {};
    for (const id of mergedLayers(profile, exclude)) {
      const { experts: E, counts, tokens } = profile.layers[id];
      const stay = Math.round(keepPerLayer(keep, E, "merge"));
      if (stay === E) continue;
      if (stay * groupSize < E)
        throw new MoeError("groups-too-small",
          `merge: ${stay} groups of at most ${groupSize} do not hold the ${E} experts of ${id}; accepted is a `
            + `groupSize from ${Math.ceil(E / stay)}. Raise it, or keep more.`);
      let seen: LayerProfile = profile.layers[id];
      if (procedure === "sequential") {
        const observers = statistics.map(observerNamed);
        await lab.sweep({ layers: structuredClone(layers) }, observers);
        seen = { ...seen,
          ...Object.fromEntries(
            observers.map(
              (observer) => [observer.name === "routerLogits" ? "routerLogitCosine" : observer.name,
                observer.result()[id]]
            ),
          ) };
      }
      const saliency = withoutZeros((seen.saliency as Saliency).reap);
      const groups = grouped(saliency, alike(seen), stay, groupSize);
      const taken = Math.round(counts.reduce((sum, count) => sum + count, 0) / Math.max(1, tokens));
      layers[id] = {
        slots: groups.map((members) => {
          const total = members.reduce((sum, e) => sum + saliency[e], 0);
          return { from: members.map((expert) => ({ expert, weight: saliency[expert] / total })),
            ...(align === "weights" && members.length > 1
              && { align: { by: "weights" as const, to: "leader" as const } }) };
        }),
        expertOf: Array.from({ length: E }, (_, e) => groups.findIndex(([leader]) => leader === e)),
        router: { rows: groups.map(([leader]) => leader), ...(stay < taken && { spec: { topK: stay } }) },
      };
    }
    return { layers };
  },
});

/** Experts that nobody chose weigh as the least of the others, at most a half. */
function withoutZeros(saliency: readonly number[]): number[] {
  const least = Math.min(0.5, ...saliency.filter((score) => score > 0));
  return saliency.map((score) => score || least);
}

/** Mean of two likenesses in [0, 1]: of mean gated outputs, and of the routers' logit columns. */
function alike(layer: LayerProfile): number[][] {
  const outputs = cosineSimilarity(layer.gatedMeanOutput as number[][]);
  const logits = layer.routerLogitCosine!.map((row, i) =>
    row.map((cosine, j) => (i === j ? 0 : Math.sqrt(Math.max(0, 2 - 2 * cosine))))
  );
  const farthest = Math.max(...logits.flat()) || 1;
  return outputs.map((row, i) => row.map((cosine, j) => ((cosine + 1) / 2 + 1 - logits[i][j] / farthest) / 2));
}

/** Groups, each led by the one that stays, in the order of the leaders' numbers. */
function grouped(saliency: readonly number[], likeness: readonly number[][], stay: number, most: number): number[][] {
  const leaders = byFallingUsage(saliency).slice(0, stay);
  const free = new Set(saliency.keys());
  for (const leader of leaders) free.delete(leader);
  const groups = leaders.map((leader) => {
    const nearest = [...free].sort((a, b) => likeness[leader][b] - likeness[leader][a] || a - b).slice(0, most - 1);
    for (const expert of nearest) free.delete(expert);
    return [leader, ...nearest];
  });
  return groups.sort(([a], [b]) => a - b);
}
