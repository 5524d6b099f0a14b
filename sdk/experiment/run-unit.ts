import { existsSync } from "node:fs";
import { join } from "node:path";
import { provenance, readReport, report, type TaskResult, taskResults, writeReport } from "../evaluate/index.js";
import type { Experiment, Job, Unit } from "./experiment.js";

/** Where a unit stands. */
export interface UnitProgress {
  unit: string;
  /** the job that was just done */
  job: string;
  done: number;
  of: number;
  seconds: number;
  /** by the mean of the jobs that this run did */
  secondsLeft: number;
  results: readonly TaskResult[];
}

export interface RunUnitOptions {
  /** receives `UNIT.json` */
  folder: string;
  /** stands in the report as what repeats it */
  command: string;
  onProgress?(progress: UnitProgress): void;
  /** a job that waits for something */
  onWaiting?(job: Job): void;
}

/**
 * Runs the jobs of a unit whose results are not in `folder/UNIT.json` yet, and writes the file after each, in the
 * layout of lm-evaluation-harness. An interrupted unit goes on where it was; a job that is added later joins old units.
 */
export async function runUnit<U extends Unit, J extends Job>(
  experiment: Experiment<U, J>,
  unit: U,
  { folder, command, onProgress, onWaiting }: RunUnitOptions,
): Promise<void> {
  const file = join(folder, `${unit.name}.json`);
  const found = existsSync(file) ? await readReport(file) : undefined;
  const results: TaskResult[] = found ? taskResults(found) : [];
  const known = new Set(results.map(({ task }) => task));
  const missing = (job: J) => job.keys.filter((key) => !known.has(key));
  const left = experiment.jobs(unit).filter((job) => missing(job).length > 0);
  const jobs = left.filter(({ waits }) => waits === undefined);
  for (const job of left) if (job.waits !== undefined) onWaiting?.(job);
  if (jobs.length === 0) return;

  const began = performance.now();
  const bench = await experiment.prepare(unit);
  try {
    const about = provenance({ model: bench.model, seed: bench.seed, options: { regime: unit.regime, ...bench.options },
      command });
    const measurements = found?.measurements ?? (await bench.measure?.());
    const prepared = performance.now();
    for (const [at, job] of jobs.entries()) {
      const made = await bench.run(job, missing(job));
      results.push(...made);
      await writeReport(file, { ...report(results, { provenance: about }), ...(measurements ? { measurements } : {}) });
      const [now, done] = [performance.now(), at + 1];
      onProgress?.({ unit: unit.name, job: job.name, done, of: jobs.length, seconds: (now - began) / 1000,
        secondsLeft: ((now - prepared) / 1000 / done) * (jobs.length - done), results: made });
    }
  } finally {
    await bench.dispose();
  }
}
