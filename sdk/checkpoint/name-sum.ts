import { COMBINATIONS, mix, type NameKinds } from "./name-kinds.js";

/**
 * A sum over names that says whether two lists hold the same ones, whatever their order: 64 bits of a hash whose seed
 * is
 * drawn anew each time, so that no file can be made to fit.
 */
export class NameSum {
  low = 0;
  high = 0;

  constructor(private readonly seed: number) {}

  /** Adds the name that was read last. */
  add(names: NameKinds): void {
    const { kind, key } = names;
    const numbers = key - kind * COMBINATIONS;
    const text = names.hash(kind, this.seed);
    const mixed = mix(text ^ mix(numbers | 0) ^ Math.imul(Math.floor(numbers / 2 ** 32) + 1, 0x9e3779b1));
    this.low = (this.low + mixed) | 0;
    this.high = (this.high + mix(mixed ^ this.seed ^ Math.imul(numbers | 0, 0x85ebca6b))) | 0;
  }
}
