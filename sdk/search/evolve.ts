import type { Draws } from "../tensor/draws.js";
import type { Judge, Scored, Space, Stage } from "./search.js";

export interface EvolveOptions<C> {
  /** how many are drawn to begin with, and on how many tokens they are scored; or what is begun with, best first */
  initial: { count: number; tokens?: number } | { candidate: C } | { scored: Scored<C>[] };
  generations: number;
  /** new candidates of a generation */
  offspring: number;
  stages: readonly Stage[];
  /**
   * "best": the best one goes on, and is scored anew beside its offspring, on other tokens (EvoPress); "all": every
   * candidate goes on with the score that it has (EEP)
   */
  keep: "best" | "all";
  /** a copy of the one that goes on may be among its offspring */
  copies?: boolean;
  /** after each generation, the initial one counted as 0: the best so far, scored on this generation's tokens */
  onGeneration?(generation: number, best: Scored<C>): void;
}

/** draws that may be refused in a row, so that a space that is used up ends the search */
const MOST_REFUSED = 1000;

/**
 * Evolution of candidates: every generation varies what was found so far and sieves the offspring in stages, many on
 * few tokens, few on many. Follows arXiv:2410.14649, algorithm 1, with "best", and arXiv:2407.00945, algorithm 1, with
 * "all". The same draws and scores give the same result.
 *
 * @returns what goes on after the last generation, best first
 * @example (await evolve(space, judge, drawsOf(new Rng(1)), options))[0].candidate
 */
export async function evolve<C>(
  space: Space<C>,
  judge: Judge<C>,
  draws: Draws,
  { initial, generations, offspring, stages, keep, copies, onGeneration }: EvolveOptions<C>,
): Promise<Scored<C>[]> {
  const known = new Set<string>();
  let parents: Scored<C>[];
  if ("candidate" in initial) parents = [{ candidate: initial.candidate, score: Infinity }];
  else if ("scored" in initial) {
    parents = initial.scored;
    for (const { candidate } of parents) known.add(space.key(candidate));
  } else {
    const drawn = different(initial.count, () => space.first(draws), space, known);
    const first = await sieved(drawn, { survivors: keep === "all" ? drawn.length : 1, tokens: initial.tokens });
    parents = first;
  }
  onGeneration?.(0, parents[0]);
  for (let generation = 1; generation <= generations; generation++) {
    const taken = keep === "all" ? known : new Set(copies ? [] : [space.key(parents[0].candidate)]);
    let alive = different(offspring, () => space.vary(parents, draws), space, taken);
    if (alive.length === 0) break;
    let survivors: Scored<C>[] = [];
    for (const stage of stages) {
      if (keep === "best" && stage.survivors === stages.at(-1)!.survivors) {
        const [{ candidate }] = parents;
        if (!alive.some((other) => space.key(other) === space.key(candidate))) alive.push(candidate);
      }
      survivors = await sieved(alive, stage);
      alive = survivors.map(({ candidate }) => candidate);
    }
    parents = keep === "all" ? byScore([...survivors, ...parents]) : survivors;
    onGeneration?.(generation, parents[0]);
  }
  return parents;

  async function sieved(candidates: readonly C[], { survivors, tokens }: Stage): Promise<Scored<C>[]> {
    const scores = await judge(candidates, tokens, draws);
    return byScore(candidates.map((candidate, at) => ({ candidate, score: scores[at] }))).slice(0, survivors);
  }
}

/** As many different ones as there are, up to a count; adds them to those that are known. */
function different<C>(count: number, draw: () => C | undefined, space: Space<C>, known: Set<string>): C[] {
  const found: C[] = [];
  for (let refused = 0; found.length < count && refused < MOST_REFUSED; refused++) {
    const candidate = draw();
    if (candidate === undefined || known.has(space.key(candidate))) continue;
    known.add(space.key(candidate));
    found.push(candidate);
    refused = -1;
  }
  return found;
}

function byScore<C>(scored: Scored<C>[]): Scored<C>[] {
  return scored.sort((a, b) => a.score - b.score);
}
