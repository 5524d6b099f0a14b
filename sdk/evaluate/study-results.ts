import { existsSync, readdirSync } from "node:fs";
import * as v from "valibot";
import { FormatError } from "../errors.js";
import { packageFile } from "../package-file.js";
import { mean, meanStderr } from "../statistics/mean.js";
import { metricKeys, readReport, stderrKey } from "./report-file.js";
import { type ArmComparison, type ArmResult, type Claim, compareArms } from "./statistics/compare-arms.js";

/** One model of a study that was scored: an arm at one ratio and stage, on one teacher. */
export interface StudyEntry {
  /** which report: one teacher */
  run: string;
  /** where the teacher comes from, e.g. "scratch" or "upcycled" */
  regime: string;
  task: string;
  arm: string;
  /** experts per changed layer, on average */
  keep: number;
  /** "changed": right after the change; "recovered": trained on; draws of the training data are entries of their own */
  stage: string;
  metrics: Record<string, { value: number; stderr?: number }>;
  /** what else the entry's configuration says: parameters, FLOPs per token, seconds, … */
  about: Record<string, unknown>;
}

export interface StudyResults {
  entries: StudyEntry[];
  /** each report's date, machine, engine and the command that repeats it */
  runs: { run: string; regime: string; date: Date; machine: string; engine: string;
    command: string; /** of training and scoring */
    seconds: number; /** what else the report holds, read off the teacher and its merges */
    measurements: Record<string, unknown> }[];
}

/**
 * A claim about arms of a study, e.g. `{ arm: "m-smoe", against: "pruning", keep: 4, stage: "recovered", metric: "kl",
 * side: "lower" }`.
 */
export interface StudyClaim extends Claim {
  against: string;
  keep: number; /** of `against`, where it differs */
  againstKeep?: number;
  stage: string;
}

const Entry = v.looseObject({ task: v.string(), arm: v.string(), keep: v.number(), stage: v.string() });

/**
 * Reads the reports of a study.
 *
 * @param folder of the reports, one a unit; the name of a study stands for `data/results/NAME`
 * @throws FormatError `bad-report`
 * @example const { entries } = await studyResults("mc-smoe");
 */
export async function studyResults(folder: string): Promise<StudyResults> {
  if (/^[\w-]+$/.test(folder)) folder = packageFile(`data/results/${folder}`);
  const files = existsSync(folder) ? readdirSync(folder).filter((one) => one.endsWith(".json")).sort() : [];
  const results: StudyResults = { entries: [], runs: [] };
  for (const file of files) {
    const report = await readReport(`${folder}/${file}`);
    const run = file.slice(0, -".json".length);
    let seconds = 0;
    for (const [key, numbers] of Object.entries(report.results)) {
      const config = v.safeParse(Entry, report.configs[key]);
      if (!config.success)
        throw new FormatError("bad-report",
          `studyResults: ${key} in ${folder}/${file} does not name its task, arm, keep and stage; accepted are `
            + "reports that the study's own command wrote. Run it again.");
      const { task, arm, keep, stage, ...about } = config.output;
      const metrics = Object.fromEntries(metricKeys(numbers).map((metric) => {
        const stderr = numbers[stderrKey(metric)];
        return [metric.split(",")[0], { value: numbers[metric] as number,
          ...(typeof stderr === "number" && { stderr }) }];
      }));
      seconds += typeof about.seconds === "number" ? about.seconds : 0;
      results.entries.push({ run, regime: String(report.config?.regime ?? ""), task, arm, keep,
        stage: stage.split("-")[0], metrics, about });
    }
    const { machine = "", engine = "", command = "" } = (report.moelab ?? {}) as Record<string, string>;
    results.runs.push({ run, regime: String(report.config?.regime ?? ""), date: new Date(1000 * (report.date ?? 0)),
      machine, engine, command, seconds, measurements: (report.measurements ?? {}) as Record<string, unknown> });
  }
  return results;
}

/** An arm's numbers over teachers. */
export interface StudyMean {
  regime: string;
  task: string;
  arm: string;
  keep: number;
  stage: string;
  /** teachers */
  n: number;
  /** mean over teachers (draws of one teacher averaged first) and its standard error; NaN for one teacher */
  metrics: Record<string, { mean: number; stderr: number }>;
  /** of the first entry: parameters, FLOPs per token, … */
  about: Record<string, unknown>;
}

/** Averages entries of the same regime, task, arm, ratio and stage over teachers, in the order of first appearance. */
export function studyMeans(entries: readonly StudyEntry[]): StudyMean[] {
  const groups = new Map<string, StudyEntry[]>();
  for (const entry of entries) {
    const key = [entry.regime, entry.task, entry.arm, entry.keep, entry.stage].join("\n");
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()].map((group) => {
    const [{ regime, task, arm, keep, stage, about }] = group;
    const runs = [...new Set(group.map(({ run }) => run))];
    const names = new Set(group.flatMap((entry) => Object.keys(entry.metrics)));
    const metrics = Object.fromEntries([...names].map((metric) => {
      const scored = group.filter((entry) => metric in entry.metrics);
      const values = [...new Set(scored.map(({ run }) => run))].map((run) =>
        mean(scored.filter((entry) => entry.run === run).map((entry) => entry.metrics[metric].value))
      );
      return [metric, { mean: mean(values), stderr: meanStderr(values) }];
    }));
    return { regime, task, arm, keep, stage, n: runs.length, metrics, about };
  });
}

/**
 * Judges claims on entries, paired by teacher, with Holm's correction over all claims given. Claims of which an arm has
 * not been run on two teachers are left out: compare the lengths.
 *
 * @param entries of one regime and task, or of several if their teachers may be pooled
 * @example judgeClaims(entries.filter(({ regime }) => regime === "scratch"), claims)
 */
export function judgeClaims(entries: readonly StudyEntry[], claims: readonly StudyClaim[]): ArmComparison["claims"] {
  const name = (arm: string, keep: number, stage: string) => `${arm} ${keep} ${stage}`;
  const metrics = new Set(claims.map(({ metric }) => metric));
  const results: ArmResult[] = entries.flatMap(({ run, arm, keep, stage, metrics: numbers }) =>
    Object.entries(numbers).filter(([metric]) => metrics.has(metric)).map(([metric, { value }]) => ({
      arm: name(arm, keep, stage),
      seed: run,
      metric,
      value,
    }))
  );
  const runsOf = new Map<string, Set<number | string>>();
  for (const { arm, seed } of results) (runsOf.get(arm) ?? runsOf.set(arm, new Set()).get(arm)!).add(seed);
  const both = ({ arm, against, keep, againstKeep = keep, stage }: StudyClaim) =>
    [...(runsOf.get(name(arm, keep, stage)) ?? [])].filter((run) =>
      runsOf.get(name(against, againstKeep, stage))?.has(run)
    ).length;
  const testable = claims.filter((claim) => both(claim) >= 2);
  if (testable.length === 0) return [];
  return compareArms(results, {
    baseline: results[0].arm,
    claims: testable.map(({ keep, againstKeep = keep, stage, ...claim }) => ({ ...claim,
      arm: name(claim.arm, keep, stage), against: name(claim.against, againstKeep, stage) })
    ),
  }).claims;
}
