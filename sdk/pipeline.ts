import type { Saved } from "./checkpoint/save-model.js";
import type { ModelSpec } from "./model/spec.js";
import type { Plan } from "./plan/plan.js";
import { applyStage, type ChangeOptions, changeStage, checkChange, planStage } from "./stages/change.js";
import { type Arm, type CompareOptions, compareStage, type Comparison } from "./stages/compare.js";
import { type CreateOptions, createStage } from "./stages/create.js";
import { type DistillOptions, distillStage } from "./stages/distill.js";
import { type EvaluateOptions, evaluateStage } from "./stages/evaluate.js";
import { type Forecast, forecastStage } from "./stages/forecast.js";
import { type LoadOptions, loadStage } from "./stages/load.js";
import type { MemoryOptions } from "./stages/memory.js";
import type { CompressMethods, MergeMethods, OptionsFor, PruneMethods, RouteMethods } from "./stages/method-options.js";
import { type ProfileOptions, profileStage } from "./stages/profile.js";
import { saveStage, type SaveStageOptions } from "./stages/save.js";
import { type MemoryForecast, memoryStage, type StageMemoryOptions } from "./stages/stage-memory.js";
import { type StudyState } from "./stages/study-state.js";
import { Study } from "./stages/study.js";
import { trainStage, type TrainStageOptions } from "./stages/train.js";
import { upcycleStage, type UpcycleStageOptions } from "./stages/upcycle.js";

/** What can be done at any point of a chain. `await` runs it and gives a Study. */
export interface Anywhere extends PromiseLike<Study> {
  /** Scores the model on test items, beside the model as it was loaded. */
  evaluate(options?: EvaluateOptions): Evaluated;
  /**
   * Forecasts the most memory that profiling, scoring and training the model as it is now will hold, from a trial with
   * a few rows.
   */
  memory(options?: StageMemoryOptions): Promise<MemoryForecast>;
  /** Writes the model as it is now to a new folder that `moe.load` opens again. */
  save(folder: string, options?: SaveStageOptions): Promise<Saved>;
}

/** A model that was opened: it can be measured, scored, or changed by a plan that was made before. */
export interface Loaded extends Anywhere {
  /** Measures usage, router-logit similarity and what else methods read, on training items. */
  profile(options?: ProfileOptions): Profiled;
  /** Carries out a plan that was made for these very weights. */
  apply(plan: Plan, options?: MemoryOptions): Changed;
  /** Trains the model on: a new one, or on a task; `{ prune: { keep } }` drops experts on the way. */
  train(options?: TrainStageOptions): Changed;
  /** Copies each feed-forward block of a dense model into experts: `{ experts: 8, topK: 2 }`. */
  upcycle(options: UpcycleStageOptions): Loaded;
}

/** A model that was measured: methods can plan. */
export interface Profiled extends Anywhere {
  /** Carries out a plan that was made for these very weights; one that weighs by a statistic finds it here. */
  apply(plan: Plan, options?: MemoryOptions): Changed;
  /** Makes a method's plan and stops before carrying it out. */
  plan(options: OptionsFor<MergeMethods & PruneMethods & CompressMethods & RouteMethods>): Planned;
  /** Experts become fewer by averaging: `{ method: "m-smoe", keep: 0.25 }`. */
  merge(options: OptionsFor<MergeMethods>): Changed;
  /** Experts become fewer by leaving some out: `{ method: "frequency", keep: 0.25 }`. */
  prune(options: OptionsFor<PruneMethods>): Changed;
  /** Matrices are stored in fewer numbers. */
  compress(options: OptionsFor<CompressMethods>): Changed;
  /** Routers choose differently: `{ method: "dynamic-skipping" }`. */
  route(options: OptionsFor<RouteMethods>): Changed;
  /** Scores several methods on the same items. */
  compare(arms: readonly Arm[], options?: CompareOptions): Promise<Comparison>;
}

/** A model with a plan that was not carried out. */
export interface Planned extends PromiseLike<Study> {
  /** Parameters, bytes and FLOPs after the plan, before anything is done. */
  forecast(): Promise<Forecast>;
  apply(plan?: undefined, options?: MemoryOptions): Changed;
}

/** A model that was changed. Further methods need a new profile: this is another model. */
export interface Changed extends Anywhere {
  profile(options?: ProfileOptions): Profiled;
  compress(options: OptionsFor<CompressMethods>): Changed;
  /** Fine-tunes with the model as loaded as teacher. */
  distill(options?: DistillOptions): Changed;
  /** Trains on without a teacher. */
  train(options?: TrainStageOptions): Changed;
}

export interface Evaluated extends PromiseLike<Study> {
  save: Anywhere["save"];
}

/** The fluent chain: every verb is one stage, run when the chain is awaited, once. */
class Chain implements Loaded, Profiled, Planned, Changed, Evaluated {
  private state?: Promise<StudyState>;

  constructor(private readonly run: () => Promise<StudyState>) {}

  profile(options?: ProfileOptions) {
    return this.next((study) => profileStage(study, options));
  }
  plan(options: ChangeOptions) {
    return this.next((study) => planStage(study, options), () => checkChange(options));
  }
  merge(options: ChangeOptions) {
    return this.next((study) => changeStage(study, options, "merge"), () => checkChange(options, "merge"));
  }
  prune(options: ChangeOptions) {
    return this.next((study) => changeStage(study, options, "prune"), () => checkChange(options, "prune"));
  }
  route(options: ChangeOptions) {
    return this.next((study) => changeStage(study, options, "route"), () => checkChange(options, "route"));
  }
  compress(options: ChangeOptions) {
    return this.next(
      async (study) =>
        changeStage(study.model === study.original ? study : await remeasured(study), options, "compress"),
      () => checkChange(options, "compress"),
    );
  }
  apply(plan?: Plan, options?: MemoryOptions) {
    return this.next((study) => applyStage(study, plan, options));
  }
  upcycle(options: UpcycleStageOptions) {
    return this.next((study) => upcycleStage(study, options));
  }
  train(options?: TrainStageOptions) {
    return this.next((study) => trainStage(study, options));
  }
  distill(options?: DistillOptions) {
    return this.next((study) => distillStage(study, options));
  }
  evaluate(options?: EvaluateOptions) {
    return this.next((study) => evaluateStage(study, options));
  }
  async forecast() {
    return forecastStage(await this.settled());
  }
  async memory(options?: StageMemoryOptions) {
    return memoryStage(await this.settled(), options);
  }
  async compare(arms: readonly Arm[], options?: CompareOptions) {
    for (const { arm: _, ...change } of arms) checkChange(change);
    return compareStage(await this.settled(), arms, options);
  }
  async save(folder: string, options?: SaveStageOptions) {
    return saveStage(await this.settled(), folder, options);
  }

  then<A = Study, B = never>(
    done?: ((study: Study) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.settled().then((state) => new Study(state)).then(done, failed);
  }

  /** @param check what can be seen to be wrong before any stage of the chain has run */
  private next(stage: (study: StudyState) => Promise<StudyState>, check?: () => void): Chain {
    return new Chain(async () => {
      check?.();
      return stage(await this.settled());
    });
  }

  private settled(): Promise<StudyState> {
    return (this.state ??= this.run());
  }
}

/** A changed model is another model: it is measured again on the data of its first profile. */
function remeasured(study: StudyState): Promise<StudyState> {
  return profileStage(study, { data: study.calibration?.batches });
}

/**
 * Opens a model and begins a chain: a folder, a bundled model, or `org/name[@revision]` of the Hugging Face cache or
 * hub.
 *
 * @example
 * const study = await load("nano-switch").profile().merge({ method: "m-smoe", keep: 0.25 }).evaluate();
 */
export function load(ref: string, options?: LoadOptions): Loaded {
  return new Chain(() => loadStage(ref, options));
}

/**
 * Begins a chain with a new model of random weights: a Hugging Face configuration or a ModelSpec.
 *
 * @example
 * const study = await create({ model_type: "mixtral", hidden_size: 64, … }, { tokenizer: "nano-decoder" }).train({
 * corpus: "moby-dick", steps: 200 });
 */
export function create(architecture: Record<string, unknown> | ModelSpec, options?: CreateOptions): Loaded {
  return new Chain(() => createStage(architecture, options));
}

/**
 * Goes on from a study, as far as it is: `from(study).merge(…)` after a profile, `.forecast()` after a plan,
 * `.profile()` after a change.
 */
export function from(study: Study): Loaded & Profiled & Planned & Changed {
  return new Chain(async () => study.state);
}
