import type { Changes } from "../method/method.js";
import type { Draws } from "../tensor/draws.js";

/** What was tried, and how far it is from the model: lower is better. */
export interface Scored<C> {
  candidate: C;
  score: number;
}

/** A space of plans: what may be tried, and how one candidate comes from others. How it is searched is apart. */
export interface Space<C> {
  changes(candidate: C): Changes;
  first(draws: Draws): C;
  /**
   * A new candidate from those that were scored, best first.
   * @returns undefined for one that may not be: another is drawn
   */
  vary(parents: readonly Scored<C>[], draws: Draws): C | undefined;
  /** the same for what is the same */
  key(candidate: C): string;
}

/** One sieve of a generation: so many survive after all were scored on so many tokens; undefined: on all. */
export interface Stage {
  survivors: number;
  tokens?: number;
}

/** Scores candidates, all on the same tokens, which it draws. */
export type Judge<C> = (candidates: readonly C[], tokens: number | undefined, draws: Draws) => Promise<number[]>;
