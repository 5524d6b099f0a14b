import { MoeError } from "../errors.js";
import { metrics } from "../method/lab.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { excludeNone, keep, seed } from "../method/usual-options.js";
import { type LayerId, type MoeFfnSpec, moeLayers } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import { type Blend, blendRules, firstBlend, otherEntries, otherExperts } from "../search/blends.js";
import { evolve } from "../search/evolve.js";
import { judgeIn } from "../search/judge.js";
import type { Space } from "../search/search.js";
import { drawsOf } from "../tensor/draws.js";
import { Rng } from "../tensor/rng.js";
import { blended } from "./blended-layer.js";

/**
 * Efficient expert pruning, arXiv:2407.00945: an evolution without gradients finds, for one task, which experts stay
 * and how the others are blended into them. Two matrices for each group of layers say it, one builds new experts out
 * of the old ones, one maps the router's scores to them; first both are rows of the identity (pruning), then any
 * (merging). The score is the share of wrong answers on the profile's items; a candidate costs a pass over them.
 *
 * @example await load("nano-switch-pron").profile({ items: 64 }).prune({ method: "eep", keep: 8, merging: 20 })
 */
export const eep = method({
  name: "eep",
  paper: "arXiv:2407.00945",
  kind: "prune",
  about: "searches by evolution which experts stay and how the others are blended into them, for one task",
  options: {
    keep,
    topK: { about: "experts that a token takes", from: 1, whole: true, otherwise: "as many as before" },
    groups: { about: "groups of layers, by depth, that share their matrices", from: 1, whole: true, default: 4 },
    initial: { about: "candidates that are drawn at random", from: 1, whole: true, default: 30 },
    pruning: {
      about: "candidates whose matrices are rows of the identity, those drawn at random among them",
      from: 0,
      whole: true,
      default: 100,
    },
    merging: { about: "candidates of any matrices that come after them", from: 0, whole: true, default: 300 },
    score: {
      about: `what is made small on the profile's items: "error", the share of wrong answers; "kl", the distance to the
        model in nats; "nll", nats for each token. Parents score at most 0.03 worse than the best`,
      words: metrics,
      default: "error",
    },
    exclude: excludeNone,
    seed,
  },
  async plan(profile, options, lab) {
    const layers = mergedLayers(profile, options.exclude);
    const ffns = new Map(moeLayers(lab.spec).map(({ id, ffn }) => [id, ffn]));
    const experts = alike(layers, ffns);
    const count = Math.round(keepPerLayer(options.keep, experts, "prune"));
    const groups = inGroups(layers, options.groups);
    const changes = (blend: Blend): Changes => ({
      layers: Object.fromEntries(
        groups.flatMap((group, at) =>
          group.map((id) => [id, blended(ffns.get(id)!, blend.merge[at], blend.map[at], options.topK)])
        ),
      ),
    });
    const phases = { pruning: Math.max(0, options.pruning - options.initial), merging: options.merging };
    const draws = drawsOf(new Rng(`eep ${options.seed}`));
    const space = (phase: keyof typeof phases): Space<Blend> => ({
      changes,
      first: (draws) => firstBlend(experts, count, groups.length, draws),
      vary: (scored, draws) => (phase === "pruning" ? otherExperts : otherEntries)(scored, blendRules, draws),
      key: JSON.stringify,
    });
    const judge = judgeIn(lab, { changes }, options.score);
    const common = { offspring: 1, stages: [{ survivors: 1 }], keep: "all" as const };
    const of = phases.pruning + phases.merging;
    const tell = (before: number) => (done: number, { score }: { score: number }) =>
      lab.progress(before + done, of, `${options.score} ${score.toFixed(4)}`);
    const pruned = await evolve(space("pruning"), judge, draws, { ...common, initial: { count: options.initial },
      generations: count < experts ? phases.pruning : 0, onGeneration: tell(0) });
    const [{ candidate }] = await evolve(space("merging"), judge, draws, { ...common, initial: { scored: pruned },
      generations: phases.merging, onGeneration: tell(phases.pruning) });
    return changes(candidate);
  },
});

/** E of layers that share matrices. @throws MoeError `unequal-layers` */
function alike(layers: readonly LayerId[], ffns: ReadonlyMap<LayerId, MoeFfnSpec>): number {
  const counts = layers.map((id) => ffns.get(id)!.experts);
  const other = counts.findIndex((count) => count !== counts[0]);
  if (other < 0) return counts[0];
  throw new MoeError("unequal-layers",
    `prune: ${layers[0]} has ${counts[0]} experts, ${layers[other]} ${counts[other]}; accepted by eep are layers of `
      + "equally many, which share matrices. Exclude the others.");
}

/** Neighbours together, in groups as equal as can be. */
function inGroups(layers: readonly LayerId[], count: number): LayerId[][] {
  const groups: LayerId[][] = Array.from({ length: Math.min(count, layers.length) }, () => []);
  layers.forEach((id, at) => groups[Math.floor((at * groups.length) / layers.length)].push(id));
  return groups;
}
