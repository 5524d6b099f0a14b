import type { TaskResult } from "../evaluate/report.js";

/** What is run apart from the rest and has a result file of its own: a teacher, a seed, a draw. */
export interface Unit {
  name: string;
  /** units of one regime are pooled when claims are judged */
  regime: string;
}

/** One model that is made and scored. */
export interface Job {
  name: string;
  /** the entries that it writes, as they are named in the result file */
  keys: readonly string[];
  /** why it cannot be run for now, such as a model that is not there; it is left out and run another time */
  waits?: string;
}

/** What all jobs of a unit share: the model they start from, its profile, the test items. */
export interface Bench<J extends Job> {
  model: { id: string; fingerprint: string };
  seed?: number;
  /** of the unit, for the report */
  options?: Record<string, unknown>;
  /** @param missing keys that are not there yet */
  run(job: J, missing: readonly string[]): Promise<TaskResult[]>;
  /** what is read off the unit's model once, beside the scores */
  measure?(): Promise<Record<string, unknown>>;
  dispose(): Promise<void>;
}

/** Jobs times units. What a usual paper needs is made from a recipe: `chainExperiment`. */
export interface Experiment<U extends Unit = Unit, J extends Job = Job> {
  name: string;
  /** in the order in which they are run */
  units: readonly U[];
  jobs(unit: U): readonly J[];
  /** made once for all jobs of a unit */
  prepare(unit: U): Promise<Bench<J>>;
}
