import type { Rng } from "./rng.js";

/** What a search draws, one number after the other: from a seed, or from a record of another search. */
export interface Draws {
  /** a whole number from a to b, both counted */
  whole(a: number, b: number): number;
  /** a place in a list of n */
  place(n: number): number;
  /** a place, each as likely as its weight */
  weighted(weights: readonly number[]): number;
  /** k different places in a list of n, in the order in which they were drawn */
  places(n: number, k: number): number[];
  /** in [0, 1) */
  uniform(): number;
  /** standard normal */
  normal(): number;
}

/** @example drawsOf(new Rng(1)).whole(1, 3) */
export function drawsOf(rng: Rng): Draws {
  return {
    whole: (a, b) => a + rng.int(b - a + 1),
    place: (n) => rng.int(n),
    weighted(weights) {
      let left = rng.next() * weights.reduce((sum, weight) => sum + weight, 0);
      const at = weights.findIndex((weight) => (left -= weight) < 0);
      return at < 0 ? weights.length - 1 : at;
    },
    places: (n, k) => rng.shuffle(Array.from({ length: n }, (_, at) => at)).slice(0, k),
    uniform: () => rng.next(),
    normal: () => rng.normal(),
  };
}
