import { effectiveExperts } from "../statistics/effective-experts.js";
import { mean } from "../statistics/mean.js";
import type { StudyEntry, StudyResults } from "./study-results.js";

/**
 * Turns the usage that a study's runs hold into entries, so that claims on how skewed usage is are judged like any
 * other:
 * the arm is the kind of a run's task, and runs `REGIME-SEED.TASK-NUMBER` of the same model and number are paired,
 * whatever
 * the task. Metrics are the experts in effect, a mean over the layers of the encoder and of the decoder.
 *
 * @param kinds of the tasks; runs of other tasks are left out
 * @example usageEntries(runs, { pron: "generation", kind: "selection" })
 */
export function usageEntries(runs: StudyResults["runs"], kinds: Record<string, string>): StudyEntry[] {
  return runs.flatMap(({ run, regime, measurements }) => {
    const [, model, task, number] = /^(.+)\.(.+)-(\d+)$/.exec(run) ?? [];
    const usage = measurements.usage as Record<string, number[]> | undefined;
    if (!usage || !(task in kinds)) return [];
    const inEffect = (encoder: boolean) =>
      mean(
        Object.entries(usage).filter(([layer]) => layer.startsWith("encoder.") === encoder).map(([, shares]) =>
          effectiveExperts(shares)
        ),
      );
    const experts = Object.values(usage)[0].length;
    return [{ run: `${model}-${number}`, regime, task, arm: kinds[task], keep: experts, stage: "usage",
      metrics: { experts_in_effect_encoder: { value: inEffect(true) },
        experts_in_effect_decoder: { value: inEffect(false) } }, about: {} }];
  });
}
