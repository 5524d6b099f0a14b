import type { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";

/** Puts the right choice in a drawn place among the wrong ones, so that no place is right more often than another. */
export function withDistractors(
  id: string,
  context: string,
  right: string,
  wrong: readonly string[],
  rng: Rng,
): ChoiceQuestion {
  const answer = rng.int(wrong.length + 1);
  return { id, context, choices: [...wrong.slice(0, answer), right, ...wrong.slice(answer)], answer };
}
