import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import type { Filled } from "../method/options.js";
import { combine, epsilon, excludeNone, keep, seed } from "../method/usual-options.js";
import type { LayerId } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import type { SlotRecipe } from "../plan/plan.js";
import { type GroupNeurons, groupNeuronsName, groupNeuronsObserver,
  type NeuronMatch } from "../profile/observers/group-neurons.js";
import { type Profile, usage } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { closestToCentre, hierarchicalClusters, linkages } from "./hierarchical-clusters.js";
import { memberWeightings, memberWeights } from "./member-weights.js";
import { silhouette } from "./silhouette.js";

const options = {
  keep: { ...keep, about: "clusters of every layer: a share in (0, 1] or a count in (1, E]" },
  count: {
    about: `"keep": as many clusters as keep says; "silhouette": at least two and at most that many, as many as are best
      apart`,
    words: ["keep", "silhouette"],
    default: "keep",
  },
  base: {
    about: "what is clustered: mean outputs over all tokens, router-logit columns, or flattened weights",
    words: ["mean-output", "router-logits", "weight"],
    default: "mean-output",
  },
  linkage: { about: "how clusters are joined", words: linkages, default: "average" },
  result: {
    about: `"mean": the cluster's weighted average; "closest": the member closest to the cluster's centre;
      "fix-dom-same": each neuron of the others is averaged into the neuron of that member that it correlates with most;
      "zipit": neurons of all members are merged pair by pair, the most correlated first`,
    words: ["mean", "closest", "fix-dom-same", "zipit"],
    default: "mean",
  },
  match: {
    about: `what neurons are correlated by for "fix-dom-same": activations, weights, or both`,
    words: ["act", "weight", "act+weight"],
    default: "act",
  },
  weights: { about: "how members count in the mean", words: memberWeightings, default: "frequency" },
  align: {
    about: `order of the hidden neurons before the mean; "none", as the paper has it`,
    words: ["none", "weights"],
    default: "none",
  },
  exclude: excludeNone,
  epsilon,
  combine,
  seed,
} as const;
type HcSmoeOptions = Filled<typeof options>;

/**
 * Merges experts that give the same on average: HC-SMoE, arXiv:2410.08589. Hierarchical clusters of the experts'
 * mean outputs, each merged into its usage-weighted mean; the router stays.
 *
 * @example await planWith(hcSmoe, profile, { keep: 0.5 })
 */
export const hcSmoe = method({
  name: "hc-smoe",
  paper: "arXiv:2410.08589",
  kind: "merge",
  about: "clusters experts by their mean outputs and averages each cluster by usage",
  options,
  needs: ({ base }) => [base === "mean-output" ? "meanOutput" : `gram.${base}`],
  observers(profile, options, { weights }) {
    const match = neuronMatch(options);
    return match ? [groupNeuronsObserver(match, groupsOf(clustersOf(profile, options)), weights)] : [];
  },

  plan(profile, options) {
    const { weights: weighting, align, result, epsilon, combine } = options;
    const match = neuronMatch(options);
    const rng = new Rng(options.seed);
    const layers = clustersOf(profile, options);
    const changes: Changes = { layers: {} };
    for (const [layer, { labels, clusters }] of Object.entries(layers)) {
      const shares = usage(profile.layers[layer]);
      const slots = clusters.map((members): SlotRecipe => {
        if (result === "closest" || (match && members.length === 1))
          return { from: [{ expert: members[0], weight: 1 }] };
        if (match)
          return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
            zip: zipOf(profile, layer, members, groupNeuronsName(match, groupsOf(layers))), zipBy: "mean" };
        const weights = memberWeights(shares, members, weighting, rng, epsilon);
        return { from: members.map((expert, place) => ({ expert, weight: weights[place] })),
          ...(align === "weights" && { align: { by: align, to: "leader" as const } }) };
      });
      changes.layers[layer] = { slots, expertOf: labels, ...(combine && { router: { combine: true } }) };
    }
    return changes;
  },
});

interface Clusters {
  labels: number[]; /** members of each, the one closest to the centre first */
  clusters: number[][];
}

/** The clusters of every layer that is merged. */
function clustersOf(profile: Profile, options: HcSmoeOptions): Record<LayerId, Clusters> {
  const { base, count: counting, linkage, exclude } = options;
  const found: Record<LayerId, Clusters> = {};
  for (const layer of mergedLayers(profile, exclude)) {
    const { experts } = profile.layers[layer];
    const most = Math.round(keepPerLayer(options.keep, experts, "merge"));
    if (most === experts) continue;
    const gram = innerProducts(profile, layer, base);
    const counts = counting === "keep" || most < 2 ? [most] : Array.from({ length: most - 1 }, (_, i) => most - i);
    const tried = counts.map((count) => hierarchicalClusters(gram, count, linkage));
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
function neuronMatch({ result, match }: HcSmoeOptions): NeuronMatch | undefined {
  return result === "zipit" ? "zip" : result === "fix-dom-same" ? match : undefined;
}

function groupsOf(layers: Record<LayerId, Clusters>): Record<LayerId, number[][]> {
  return Object.fromEntries(Object.entries(layers).map(([layer, { clusters }]) => [layer, clusters]));
}

function zipOf(profile: Profile, layer: LayerId, members: number[], name: string): Record<number, number[]> {
  const places = statistic<GroupNeurons>(profile, layer, name, name);
  return Object.fromEntries(members.map((expert) => [expert, places[expert]]));
}

function innerProducts(profile: Profile, layer: LayerId, base: HcSmoeOptions["base"]): number[][] {
  if (base !== "mean-output") return statistic<number[][]>(profile, layer, `gram.${base}`, `gram.${base}`);
  const outputs = statistic<number[][]>(profile, layer, "meanOutput", "meanOutput");
  return outputs.map((a) => outputs.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0)));
}
