import type { OpenedModel } from "../checkpoint/open-model.js";
import type { TaskBatch } from "../evaluate/index.js";
import type { Model } from "../model/model.js";
import type { SpecAndWeights } from "../model/spec-and-weights.js";
import type { WeightSource } from "../model/weight-source.js";
import type { Plan, SourceName } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";
import type { TrainResult } from "../train/train.js";
import type { Evaluation } from "./evaluation.js";

/** One thing that was done to the model, with what repeats it. */
export interface Step {
  stage: string;
  options: Record<string, unknown>;
  plan?: Plan;
  /** of a stage that trains */
  training?: Pick<TrainResult, "losses" | "checks" | "load" | "collapsed">;
  timeMs: number;
  /**
   * most bytes of tensors at a time while the stage ran, those of models included; absent where the back end does not
   * count them
   */
  peakBytes?: number;
}

/** What a study holds; every stage gives a new one and leaves the old as it is. */
export interface StudyState {
  /** the model as it is now */
  model: Model;
  /** the model as it was loaded: what every change is compared with */
  original: Model;
  /** what training began from, where it made a new `original`: what an update is counted from */
  base?: Model;
  opened: Opened;
  /** the model that the plan was carried out on, if training did not go on since */
  before?: Model;
  /** the last profile; of `original`, or of a model between if there were several changes */
  profile?: Profile;
  /** further models that plans may read, by name */
  sources?: Readonly<Record<SourceName, SpecAndWeights>>;
  /** statistics of the profiled model that are as large as its weights, e.g. "fisher", by name */
  tensors?: Readonly<Record<string, WeightSource>>;
  /** statistics that a later method may need are measured on the same data */
  calibration?: Calibration;
  /** the plan that comes next or that was carried out last */
  plan?: Plan;
  evaluation?: Evaluation;
  /** what somebody who reads the numbers should know, such as experts that the profile hardly saw */
  warnings?: readonly string[];
  steps: readonly Step[];
}

/**
 * Where a study began: a checkpoint; or a new model, which has no tensors on disk, perhaps no folder (""), and an empty
 * config if it came from a spec.
 */
export type Opened = Pick<OpenedModel, "model" | "folder" | "config"> & Partial<OpenedModel>;

/** What a profile was measured on; `batches` throws `data-missing` where those of a loaded profile are not at hand. */
export interface Calibration {
  id: string;
  fingerprint: string;
  seed: number;
  options?: Record<string, unknown>;
  readonly batches: TaskBatch[];
}
