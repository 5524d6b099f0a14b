import { method } from "../method/method.js";
import { seed } from "../method/usual-options.js";
import { evolve } from "../search/evolve.js";
import { judgeIn } from "../search/judge.js";
import { levelSpace } from "../search/level-space.js";
import { drawsOf } from "../tensor/draws.js";
import { Rng } from "../tensor/rng.js";
import { droppable, droppedCount } from "./droppable.js";

const isList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => Number.isInteger(one) && one >= 1);

/** Options of how EvoPress searches, with the values of its depth pruning. */
export const searching = {
  generations: { about: "generations", from: 0, whole: true, otherwise: "k (n - k) / 1.5 for k of n blocks" },
  offspring: { about: "new candidates of a generation", from: 1, whole: true, default: 32 },
  initial: { about: "candidates that are drawn at random to begin with", from: 1, whole: true, default: 64 },
  survivors: { about: "how many survive each stage of a generation; 1 survives the last", is: isList,
    says: "a list of whole numbers that ends with 1", default: [2, 1] },
  tokens: {
    about: "labelled tokens that each stage scores, at most those of the profile; the initial ones are scored on "
      + "the first's",
    is: isList,
    says: "a list as long as survivors",
    default: [2048, 32768],
  },
  fitness: { about: `"kl", the distance to the model's next tokens; "nll", its loss`, words: ["kl", "nll"],
    default: "kl" },
  seed,
} as const;

/**
 * Depth pruning by EvoPress, arXiv:2410.14649: which attention blocks and which feed-forward blocks go, as many of
 * each, found by an evolution of one parent whose offspring drop one block more and another less. Each generation
 * sieves many offspring on few tokens and few on many; the parent competes in the last stage.
 *
 * @example await load("nano-decoder").profile({ items: 32 }).prune({ method: "evopress", drop: 1, generations: 4 })
 */
export const evopress = method({
  name: "evopress",
  paper: "arXiv:2410.14649",
  kind: "prune",
  about: "searches by evolution which attention and feed-forward blocks go",
  options: {
    drop: { about: "how many go", from: 0, whole: true },
    units: {
      about:
        `what goes: "blocks", that many attention blocks and as many feed-forward blocks; "layers", both of a layer;
        "any", that many blocks of either kind`,
      words: ["blocks", "layers", "any"],
      default: "blocks",
    },
    ...searching,
  },
  async plan(_, { drop, units: kind, ...options }, lab) {
    const { units, groups } = droppable(lab.spec, kind);
    droppedCount(drop, groups);
    const draws = drawsOf(new Rng(`evopress ${options.seed}`));
    const space = levelSpace({
      rules: { low: units.map(() => 0), high: units.map(() => 1), groups },
      first(draws) {
        const levels = units.map(() => 1);
        for (const group of groups) for (const at of draws.places(group.length, drop)) levels[group[at]] = 0;
        return levels;
      },
      change: (
        unit,
        level,
      ) => (level === 1 ? undefined : { layers: { [units[unit].layer]: { drop: [...units[unit].blocks] } } }),
    });
    const n = groups[0].length;
    const generations = drop === 0 || drop === n ? 0 : options.generations ?? Math.ceil((drop * (n - drop)) / 1.5);
    const tokens = options.tokens.map((tokens) => Math.min(tokens, lab.tokens));
    const [best] = await evolve(space, judgeIn(lab, space, options.fitness), draws, {
      initial: { count: options.initial, tokens: tokens[0] },
      generations,
      offspring: options.offspring,
      stages: options.survivors.map((survivors, stage) => ({ survivors, tokens: tokens[stage] ?? tokens.at(-1) })),
      keep: "best",
      onGeneration: (done, { score }) => lab.progress(done, generations, `${options.fitness} ${score.toFixed(4)}`),
    });
    return space.changes(best.candidate);
  },
});
