import type { WeightName } from "../plan/recipe.js";

/**
 * Which matrices: those of experts, all, or these; a beginning of names ends with "." ("layers.3.experts.").
 * In the name of a statistic it follows: "gram.inputs", "gram.inputs.experts", "gram.inputs:layers.0.ffn.,layers.1."
 */
export type WeightChoice = "experts" | "all" | readonly WeightName[];

/** Whether a matrix is among the chosen; the router and the norms of a layer are no expert's. */
export function isChosen(choice: WeightChoice, name: WeightName): boolean {
  if (choice === "all") return true;
  if (choice === "experts") return name.includes(".experts.");
  return choice.some((one) => (one.endsWith(".") ? name.startsWith(one) : name === one));
}

/** The name of a statistic of these matrices. */
export function ofWeights(statistic: string, choice: WeightChoice): string {
  if (choice === "all") return statistic;
  return choice === "experts" ? `${statistic}.experts` : `${statistic}:${choice.join(",")}`;
}

/** A statistic without the matrices that its name says, and these. */
export function choiceIn(statistic: string): { statistic: string; choice: WeightChoice } {
  const named = /^([^:]+):(.+)$/.exec(statistic);
  if (named) return { statistic: named[1], choice: named[2].split(",") };
  return statistic.endsWith(".experts")
    ? { statistic: statistic.slice(0, -".experts".length), choice: "experts" }
    : { statistic, choice: "all" };
}
