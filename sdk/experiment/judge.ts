import { type StudyClaim, type StudyEntry, type StudyResults, usageEntries } from "../evaluate/index.js";
import { judgeClaims } from "../evaluate/index.js";
import type { JudgedClaim } from "../evaluate/statistics/compare-arms.js";
import type { Verdict } from "../evaluate/statistics/verdict.js";
import type { StudyFile } from "./study-file.js";

/** A claim, judged on one measure in one regime. */
export interface JudgedCell extends JudgedClaim {
  text: string;
  group: string;
  regime: string;
  /** the claims that were corrected together: "GROUP, by MEASURE" */
  family: string;
  /** mean difference of each model that the units come from; empty where every unit has its own */
  models: number[];
}

/** Claims in the families that are corrected together, as `judgeClaims` takes them. */
export function claimFamilies({ claims, measures }: StudyFile): Map<string,
  { group: string; task?: string; claims: StudyClaim[] }> {
  const families = new Map<string, { group: string; task?: string; claims: StudyClaim[] }>();
  for (const [group, given] of Object.entries(claims)) {
    const { task, claims: list } = Array.isArray(given) ? { task: undefined, claims: given } : given;
    for (const { by, worse, ...claim } of list) {
      for (const metric of by) {
        const { by: words, better, scale } = measures[metric];
        const family = `${group}, by ${words}`;
        if (!families.has(family)) families.set(family, { group, task, claims: [] });
        const side = (better === "higher") === (worse === undefined) ? "higher" : "lower";
        families.get(family)!.claims.push({ ...claim, metric, side, ...(scale && { scale }) });
      }
    }
  }
  return families;
}

/** The regime of a recipe with several tasks in which a seed's tasks are averaged, as a benchmark's mean is. */
export const ALL_TASKS = "all tasks";

/** Judges every claim of a study in every regime, Holm's correction over each family. */
export function judgeStudy(file: StudyFile, { entries, runs }: StudyResults): JudgedCell[] {
  const judged = entries.filter(({ task }) => !file.task || task === file.task);
  const pooled = (file.units?.task?.length ?? 0) > 1;
  const regimes = [...(pooled ? [ALL_TASKS] : []), ...new Set(judged.map(({ regime }) => regime))];
  const cells: JudgedCell[] = [];
  for (const [family, { group, task = file.task, claims }] of claimFamilies(file)) {
    const usage = claims.every(({ stage }) => stage === "usage") && file.kinds;
    for (const regime of usage ? [""] : regimes) {
      const own: StudyEntry[] = usage
        ? usageEntries(runs, file.kinds!)
        : regime === ALL_TASKS && pooled
        ? entries.map((entry) => ({ ...entry, run: entry.run.replace(/^.*-/, "seed ") }))
        : entries.filter((entry) => entry.regime === regime && (!task || entry.task === task));
      const models = [...new Set(own.map(({ run }) => modelOf(run)))].filter((model) => model !== "");
      const each = models.map((model) => judgeClaims(own.filter(({ run }) => modelOf(run) === model), claims));
      for (const claim of judgeClaims(own, claims)) {
        const means = each.flatMap((judged) =>
          judged.filter(({ text, arm, metric }) => text === claim.text && arm === claim.arm && metric === claim.metric)
            .map(({ mean }) => mean)
        );
        const agree = means.length > 1 && means.every((mean) => Math.sign(mean) === Math.sign(means[0]));
        cells.push({ ...claim, text: claim.text!, group, regime, family, models: means,
          verdict: file.modelsAgree && !agree ? "not resolved" : claim.verdict });
      }
    }
  }
  return cells;
}

/** The model that a unit "MODEL.TASK-NUMBER" comes from; "" where units have a model each. */
function modelOf(run: string): string {
  return /^(.+?)(?:\.|-(?=\d+$))/.exec(run.includes(".") ? run : "")?.[1] ?? "";
}

/** One word for several: what all say, else "not resolved", and "mixed" where they contradict. */
export function together(verdicts: readonly Verdict[]): Verdict | "mixed" {
  const all = new Set(verdicts);
  if (all.size === 1) return verdicts[0];
  return all.has("reproduced") && all.has("refuted") ? "mixed" : "not resolved";
}
