import type { Draws } from "../tensor/draws.js";
import type { Scored } from "./search.js";

/** Rows are new experts or router outputs, columns are old ones. */
export type Matrix = readonly (readonly number[])[];

/** For each group of layers how experts are merged, then for each group how router outputs are mapped. */
export interface Blend {
  merge: readonly Matrix[];
  map: readonly Matrix[];
}

export interface BlendRules {
  /** chance of a group to change */
  group: number;
  /** chance of a row to take another expert */
  expert: number;
  /** chance of an entry to change, and the deviation of what is added */
  entry: number;
  deviation: number;
  /** chance that the rows of all merging matrices are divided by their sums */
  normalise: number;
  /** chance of a candidate to have two parents, and of its rows to come from the first */
  cross: number;
  front: number;
  /** how far from the best the score of one parent may be, and of both */
  within: number;
  crossWithin: number;
  /** candidates among which both are looked for at least */
  rank: number;
}

/** Of the paper and its configuration, with scores that are shares of wrong answers. */
export const blendRules: BlendRules = { group: 0.25, expert: 0.15, entry: 0.25, deviation: 0.065, normalise: 0.1,
  cross: 0.3, front: 0.6, within: 0.03, crossWithin: 0.01, rank: 6 };

/** `keep` different experts for each group; both matrices are these rows of the identity. */
export function firstBlend(experts: number, keep: number, groups: number, draws: Draws): Blend {
  const rows = Array.from({ length: groups }, () => oneHot(draws.places(experts, keep).sort((a, b) => a - b), experts));
  return { merge: rows, map: rows };
}

function oneHot(chosen: readonly number[], experts: number): Matrix {
  return chosen.map((expert) => Array.from({ length: experts }, (_, e) => (e === expert ? 1 : 0)));
}

/** Rows of changed groups take experts that no row has; both matrices stay alike. */
export function changeExperts({ merge, map }: Blend, changed: readonly boolean[], chance: number, draws: Draws): Blend {
  const next = merge.map((matrix, group) => {
    if (!changed[group]) return matrix;
    const rows = matrix.map((row) => [...row]);
    for (const row of rows) {
      if (draws.uniform() >= chance) continue;
      row.fill(0);
      let expert: number;
      do expert = draws.whole(0, row.length - 1); while (rows.some((other) => other[expert] === 1));
      row[expert] = 1;
    }
    return rows;
  });
  return { merge: next, map: map.map((matrix, group) => (changed[group] ? next[group] : matrix)) };
}

/** Which matrices of a blend something is about: those that merge, then those that map. */
type Changed = Record<keyof Blend, readonly boolean[]>;

/**
 * Entries of changed matrices get noise, in float32.
 *
 * @param order in which matrices draw, as [part, group]; default merging ones first
 */
export function addNoise(
  blend: Blend,
  changed: Changed,
  { entry, deviation }: Pick<BlendRules, "entry" | "deviation">,
  draws: Draws,
  order: readonly (readonly [keyof Blend, number])[] = partsOf(blend),
): Blend {
  const next = { merge: [...blend.merge], map: [...blend.map] };
  for (const [part, group] of order) {
    if (!changed[part][group]) continue;
    next[part][group] = blend[part][group].map((row) =>
      row.map((value) => draws.uniform() < entry ? Math.fround(value + Math.fround(draws.normal() * deviation)) : value)
    );
  }
  return next;
}

/** Changed matrices take each row from one of two parents, the others the whole. */
export function crossed(first: Blend, second: Blend, changed: Changed, front: number, draws: Draws): Blend {
  const either = <T>(a: T, b: T) => (draws.uniform() < front ? a : b);
  const next = { merge: [...first.merge], map: [...first.map] };
  for (const [part, group] of partsOf(first)) {
    const [a, b] = [first[part][group], second[part][group]];
    next[part][group] = changed[part][group] ? a.map((row, at) => either(row, b[at])) : either(a, b);
  }
  return next;
}

/** Two different parents among those that score nearly as the best, at least the first `rank`; scored best first. */
export function twoParents<C>(scored: readonly Scored<C>[], { crossWithin, rank }: BlendRules, draws: Draws): [C, C] {
  const near = Math.min(Math.max(firstOutside(scored, crossWithin), rank), scored.length);
  const [a, b] = draws.places(near, 2);
  return [scored[a].candidate, scored[b].candidate];
}

/** A new candidate of the first phase, whose matrices are rows of the identity: arXiv:2407.00945, section 4.2. */
export function otherExperts(scored: readonly Scored<Blend>[], rules: BlendRules, draws: Draws): Blend {
  const parent = oneParent(scored, rules, draws);
  return changeExperts(parent, marked(parent.merge.length, rules.group, draws), rules.expert, draws);
}

/** A new candidate of the second phase, whose matrices are any. */
export function otherEntries(scored: readonly Scored<Blend>[], rules: BlendRules, draws: Draws): Blend {
  const changes = (): Changed => {
    const all = marked(2 * scored[0].candidate.merge.length, rules.group, draws);
    return { merge: all.slice(0, all.length / 2), map: all.slice(all.length / 2) };
  };
  let blend: Blend;
  if (scored.length > 1 && draws.uniform() < rules.cross) {
    const [first, second] = twoParents(scored, rules, draws);
    blend = crossed(first, second, changes(), rules.front, draws);
  } else blend = oneParent(scored, rules, draws);
  const { merge, map } = addNoise(blend, changes(), rules, draws);
  return draws.uniform() < rules.normalise ? { merge: merge.map(ofSumOne), map } : { merge, map };
}

/** Among those that score nearly as the best. */
function oneParent<C>(scored: readonly Scored<C>[], { within }: BlendRules, draws: Draws): C {
  return scored[draws.place(firstOutside(scored, within))].candidate;
}

/** How many score at most `within` worse than the best; where scores are not finite, those as bad as it. */
function firstOutside(scored: readonly Scored<unknown>[], within: number): number {
  const at = scored.findIndex(({ score }) => score > scored[0].score + within);
  return at < 0 ? scored.length : at;
}

/** At least one of them is marked. */
function marked(count: number, chance: number, draws: Draws): boolean[] {
  for (;;) {
    const all = Array.from({ length: count }, () => draws.uniform() < chance);
    if (all.includes(true)) return all;
  }
}

function ofSumOne(matrix: Matrix): Matrix {
  return matrix.map((row) => {
    const sum = row.reduce((total, value) => total + value, 0);
    return Math.abs(sum) < 1e-6 ? row : row.map((value) => Math.fround(value / sum));
  });
}

function partsOf({ merge, map }: Blend): [keyof Blend, number][] {
  return [...merge.map((_, group): [keyof Blend, number] => ["merge", group]),
    ...map.map((_, group): [keyof Blend, number] => ["map", group])];
}
