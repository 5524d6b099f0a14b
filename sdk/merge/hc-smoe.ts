import type { LayerId } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import { option } from "../plan/option.js";
import type { Method, Plan } from "../plan/plan.js";
import { usage, type Profile } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { closestToCentre, hierarchicalClusters, type Linkage } from "./hierarchical-clusters.js";
import { memberWeights, memberWeightings, type MemberWeighting } from "./member-weights.js";
import { mergedLayers } from "./merged-layers.js";

/** What is clustered: mean outputs over all tokens, router-logit columns, or flattened weights. */
export const clusterBases = ["mean-output", "router-logits", "weight"] as const;

export interface HcSmoeOptions {
  /** clusters of every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** what is clustered; default "mean-output" */
  base?: (typeof clusterBases)[number];
  /** how clusters are joined; default "average" */
  linkage?: Linkage;
  /** "mean" (default): the cluster's weighted average. "closest": the member closest to the cluster's centre */
  result?: "mean" | "closest";
  /** how members count in the mean; default "frequency" */
  weights?: MemberWeighting;
  /** order of the hidden neurons before the mean; default "none", as the paper has it */
  align?: "none" | "weights";
  /** layers that stay as they are; default none */
  exclude?: string[];
  /** added to the sum of a group's weights before they are divided by it: 1e-7 in the released code; default 0 */
  epsilon?: number;
  /** of random weights; default 0 */
  seed?: number;
}

/**
 * Merges experts that give the same on average: HC-SMoE, arXiv:2410.08589. Hierarchical clusters of the experts'
 * mean outputs, each merged into its usage-weighted mean; the router stays.
 *
 * @example hcSmoe.plan(profile, { keep: 0.5 })
 */
export const hcSmoe: Method<HcSmoeOptions> = {
  name: "hc-smoe",
  paper: "arXiv:2410.08589",
  kind: "merge",
  about: "clusters experts by their mean outputs and averages each cluster by usage",
  needs: ["usage"],
  needsFor: ({ base = "mean-output" }) => [base === "mean-output" ? "meanOutput" : `gram.${base}`],
  options: ["keep", "base", "linkage", "result", "weights", "align", "exclude", "epsilon", "seed"],

  plan(profile, options): Plan {
    const base = option("merge", "base", options.base, clusterBases, "mean-output");
    const result = option("merge", "result", options.result, ["mean", "closest"], "mean");
    const weighting = option("merge", "weights", options.weights, memberWeightings, "frequency");
    const align = option("merge", "align", options.align, ["none", "weights"], "none");
    const rng = new Rng(options.seed ?? 0);
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "hc-smoe", paper: "arXiv:2410.08589", options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude ?? [])) {
      const shares = usage(profile.layers[layer]);
      const count = Math.round(keepPerLayer(options.keep, shares.length, "merge"));
      if (count === shares.length) continue;
      const gram = innerProducts(profile, layer, base);
      const labels = hierarchicalClusters(gram, count, options.linkage);
      const slots = Array.from({ length: count }, (_, cluster) => {
        const members = labels.flatMap((label, expert) => (label === cluster ? [expert] : []));
        const centre = closestToCentre(gram, members);
        if (result === "closest") return { from: [{ expert: centre, weight: 1 }] };
        const ordered = [centre, ...members.filter((expert) => expert !== centre)];
        const weights = memberWeights(shares, ordered, weighting, rng, options.epsilon);
        return { from: ordered.map((expert, place) => ({ expert, weight: weights[place] })), ...(align === "weights" && { align: { by: align, to: "leader" as const } }) };
      });
      plan.layers[layer] = { slots, expertOf: labels };
    }
    return plan;
  },
};

function innerProducts(profile: Profile, layer: LayerId, base: (typeof clusterBases)[number]): number[][] {
  if (base !== "mean-output") return statistic<number[][]>(profile, layer, `gram.${base}`, `gram.${base}`);
  const outputs = statistic<number[][]>(profile, layer, "meanOutput", "meanOutput");
  return outputs.map((a) => outputs.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0)));
}
