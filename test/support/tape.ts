import * as assert from "uvu/assert";
import type { Draws } from "../../sdk/tensor/draws.js";

/** Draws that replay a record, and insist that the same is drawn in the same order. */
export class Tape implements Draws {
  private at = 0;

  constructor(private readonly record: readonly unknown[][]) {}

  whole = (a: number, b: number) => this.next("randint", a, b) as number;
  place = (n: number) => this.next("choice_index", n) as number;
  weighted = (weights: readonly number[]) => this.next("weighted_choice_index", [...weights]) as number;
  places = (n: number, k: number) => [...(this.next("sample_indices", n, k) as number[])];
  uniform = () => this.next("uniform", 0, 1) as number;
  normal = () => this.next("gauss", 0, 1) as number;

  /** @throws where something was not drawn */
  end(): void {
    assert.is(this.at, this.record.length, "draws left on the tape");
  }

  private next(...asked: unknown[]): unknown {
    const [given, value] = [this.record[this.at].slice(0, -1), this.record[this.at].at(-1)];
    assert.equal(asked, given, `draw ${this.at}`);
    this.at++;
    return value;
  }
}
