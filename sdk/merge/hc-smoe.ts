import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import type { LayerId } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Plan, SlotRecipe } from "../plan/plan.js";
import { type GroupNeurons, groupNeuronsName, groupNeuronsObserver,
  type NeuronMatch } from "../profile/observers/group-neurons.js";
import { type Profile, usage } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { closestToCentre, hierarchicalClusters, type Linkage } from "./hierarchical-clusters.js";
import { type MemberWeighting, memberWeightings, memberWeights } from "./member-weights.js";
import { silhouette } from "./silhouette.js";

/** What is clustered: mean outputs over all tokens, router-logit columns, or flattened weights. */
export const clusterBases = ["mean-output", "router-logits", "weight"] as const;

/** How a cluster becomes one expert. */
export const clusterResults = ["mean", "closest", "fix-dom-same", "zipit"] as const;

export interface HcSmoeOptions {
  /** clusters of every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /**
   * "keep" (default): as many clusters as `keep` says. "silhouette": at least two and at most that many, as many as are
   * best apart
   */
  count?: "keep" | "silhouette";
  /** what is clustered; default "mean-output" */
  base?: (typeof clusterBases)[number];
  /** how clusters are joined; default "average" */
  linkage?: Linkage;
  /**
   * - "mean" (default): the cluster's weighted average
   * - "closest": the member closest to the cluster's centre
   * - "fix-dom-same": each neuron of the others is averaged into the neuron of that member that it correlates with most
   * - "zipit": neurons of all members are merged pair by pair, the most correlated first
   */
  result?: (typeof clusterResults)[number];
  /** what neurons are correlated by for "fix-dom-same": activations (default), weights, or both */
  match?: "act" | "weight" | "act+weight";
  /** how members count in the mean; default "frequency" */
  weights?: MemberWeighting;
  /** order of the hidden neurons before the mean; default "none", as the paper has it */
  align?: "none" | "weights";
  /** layers that stay as they are; default none */
  exclude?: string[];
  /** added to the sum of a group's weights before they are divided by it: 1e-7 in the released code; default 0 */
  epsilon?: number;
  /**
   * run a merged expert once for a token that chose two of its members, with the sum of their gates: the same result
   * for less; default false
   */
  combine?: boolean;
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
  observers: (profile, options, { weights }) => {
    const match = neuronMatch(options);
    return match ? [groupNeuronsObserver(match, groupsOf(clustersOf(profile, options)), weights)] : [];
  },
  options: ["keep", "count", "base", "linkage", "result", "match", "weights", "align", "exclude", "epsilon", "combine",
    "seed"],

  plan(profile, options): Plan {
    const match = neuronMatch(options);
    const weighting = option("merge", "weights", options.weights, memberWeightings, "frequency");
    const align = option("merge", "align", options.align, ["none", "weights"], "none");
    const rng = new Rng(options.seed ?? 0);
    const layers = clustersOf(profile, options);
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "hc-smoe", paper: "arXiv:2410.08589",
      options: { ...options }, layers: {} };
    for (const [layer, { labels, clusters }] of Object.entries(layers)) {
      const shares = usage(profile.layers[layer]);
      const slots = clusters.map((members): SlotRecipe => {
        if (options.result === "closest" || (match && members.length === 1))
          return { from: [{ expert: members[0], weight: 1 }] };
        if (match)
          return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
            zip: zipOf(profile, layer, members, groupNeuronsName(match, groupsOf(layers))), zipBy: "mean" };
        const weights = memberWeights(shares, members, weighting, rng, options.epsilon);
        return { from: members.map((expert, place) => ({ expert, weight: weights[place] })),
          ...(align === "weights" && { align: { by: align, to: "leader" as const } }) };
      });
      plan.layers[layer] = { slots, expertOf: labels, ...(options.combine && { router: { combine: true } }) };
    }
    return plan;
  },
};

interface Clusters {
  labels: number[]; /** members of each, the one closest to the centre first */
  clusters: number[][];
}

/** The clusters of every layer that is merged. */
function clustersOf(profile: Profile, options: HcSmoeOptions): Record<LayerId, Clusters> {
  const base = option("merge", "base", options.base, clusterBases, "mean-output");
  const counting = option("merge", "count", options.count, ["keep", "silhouette"], "keep");
  const found: Record<LayerId, Clusters> = {};
  for (const layer of mergedLayers(profile, options.exclude ?? [])) {
    const { experts } = profile.layers[layer];
    const most = Math.round(keepPerLayer(options.keep, experts, "merge"));
    if (most === experts) continue;
    const gram = innerProducts(profile, layer, base);
    const counts = counting === "keep" || most < 2 ? [most] : Array.from({ length: most - 1 }, (_, i) => most - i);
    const tried = counts.map((count) => hierarchicalClusters(gram, count, options.linkage));
    const apart = tried.length > 1 ? tried.map((labels) => silhouette(gram, labels)) : [0];
    const labels = tried[apart.indexOf(Math.max(...apart))];
    const clusters = Array.from({ length: Math.max(...labels) + 1 }, (_, cluster) => {
      const members = labels.flatMap((label, expert) => (label === cluster ? [expert] : []));
      const centre = closestToCentre(gram, members);
      return [centre, ...members.filter((expert) => expert !== centre)];
    });
    found[layer] = { labels, clusters };
  }
  return found;
}

/** how neurons are matched, for the results that need it */
function neuronMatch(options: HcSmoeOptions): NeuronMatch | undefined {
  const result = option("merge", "result", options.result, clusterResults, "mean");
  const match = option("merge", "match", options.match, ["act", "weight", "act+weight"], "act");
  return result === "zipit" ? "zip" : result === "fix-dom-same" ? match : undefined;
}

function groupsOf(layers: Record<LayerId, Clusters>): Record<LayerId, number[][]> {
  return Object.fromEntries(Object.entries(layers).map(([layer, { clusters }]) => [layer, clusters]));
}

function zipOf(profile: Profile, layer: LayerId, members: number[], name: string): Record<number, number[]> {
  const places = statistic<GroupNeurons>(profile, layer, name, name);
  return Object.fromEntries(members.map((expert) => [expert, places[expert]]));
}

function innerProducts(profile: Profile, layer: LayerId, base: (typeof clusterBases)[number]): number[][] {
  if (base !== "mean-output") return statistic<number[][]>(profile, layer, `gram.${base}`, `gram.${base}`);
  const outputs = statistic<number[][]>(profile, layer, "meanOutput", "meanOutput");
  return outputs.map((a) => outputs.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0)));
}
