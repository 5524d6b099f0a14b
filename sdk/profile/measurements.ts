import { MoeError } from "../errors.js";
import type { ModelSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { type GradientKind, isExpert } from "./expert-gradients.js";
import { withWeightGram } from "./gram.js";
import type { MergeableObserver } from "./observer.js";
import { bitErrorsObserver } from "./observers/bit-errors.js";
import { mseSimilarityObserver } from "./observers/mse-similarity.js";
import { observerNamed } from "./observers/named.js";
import type { Profile } from "./profile.js";
import { withRowImportance } from "./row-importance.js";
import { withSensitivity } from "./sensitivity.js";
import type { Statistic } from "./statistic.js";
import { isChosen } from "./weight-choice.js";
import { weightSimilarities, type WeightSimilarity, type WeightSimilarityOptions,
  withWeightSimilarity } from "./weight-similarity.js";

export interface Measurements {
  /** for one sweep, usage first */
  observers: MergeableObserver[];
  /** adds what is read off the weights to the profile that the observers gave */
  finish(profile: Profile): Promise<Profile>;
}

/**
 * Which gradients a statistic is, and of which weights: "gradients", "fisher" and "fisher.classes" are of experts,
 * "gradients.all" of every weight, "gradients:layers.0.,layers.1." of these. They stand beside a profile, not in it.
 */
export function gradientsIn(statistic: Statistic): { kind: GradientKind; of(name: string): boolean } | undefined {
  const found = /^(gradients|fisher\.classes|fisher)(\.all|:.+)?$/.exec(statistic);
  if (!found) return undefined;
  const [, kind, chosen] = found as unknown as [string, GradientKind, string | undefined];
  if (!chosen) return { kind, of: isExpert };
  const choice = chosen === ".all" ? "all" : chosen.slice(1).split(",");
  return { kind, of: (name) => isChosen(choice, name) };
}

/** Whether a statistic is made from gradients of the task loss, which `measurements` is then given. */
export function needsGradients(statistic: Statistic): boolean {
  return statistic === "sensitivity" || statistic.startsWith("rowImportance.")
    || /^similarity\.(weight-)?gradient$/.test(statistic);
}

/**
 * Turns the statistics that methods ask for into what has to be done: observers of one sweep, and afterwards
 * statistics of weights.
 *
 * @param statistics names, as `statisticsFor(method, options)` gives them; repeated ones are measured once
 * @throws MoeError `unknown-statistic`
 * @example
 * const { observers, finish } = measurements(statisticsFor(mSmoe, { keep: 4 }), model);
 */
export function measurements(
  statistics: readonly Statistic[],
  model: { spec: ModelSpec; weights: WeightSource },
  options: WeightSimilarityOptions = {},
): Measurements {
  const names = new Set<string>(["usage", ...statistics]);
  for (const name of names) if (gradientsIn(name) || name === "outputGradient") names.delete(name);
  const ofWeights = weightSimilarities.filter((name) => names.delete(`similarity.${name}`));
  const gram = names.delete("gram.weight");
  const sensitivity = names.delete("sensitivity");
  const ranks = [...names].flatMap(
    (name) => (/^rowImportance\.\d+$/.test(name) && names.delete(name) ? [Number(name.split(".")[1])] : [])
  );
  if ((sensitivity || ranks.length > 0) && !options.gradients)
    throw new MoeError("gradients-missing",
      `profile: "${sensitivity ? "sensitivity" : "rowImportance"}" is made from gradients, which were not `
        + "given. Pass { gradients }.");
  if (ofWeights.some((name) => name.endsWith("-feature"))) names.add("channelNorms");
  return {
    observers: [...names].map((name) => {
      const bits = /^bitErrors\.(\d{1,6})$/.exec(name);
      if (bits) return bitErrorsObserver(model, Number(bits[1]));
      return name === "similarity.mse" ? mseSimilarityObserver(model.weights) : observerNamed(name);
    }),
    async finish(profile) {
      let finished = gram ? await withWeightGram(profile, model) : profile;
      if (sensitivity) finished = await withSensitivity(finished, model, options.gradients!);
      for (const rank of ranks) finished = await withRowImportance(finished, model, rank, options.gradients!);
      for (const name of ofWeights as WeightSimilarity[])
        finished = await withWeightSimilarity(finished, model, name, options);
      return finished;
    },
  };
}
