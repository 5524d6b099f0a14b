import { inspect } from "node:util";
import type { Saved } from "./checkpoint/save-model.js";
import { MoeError } from "./errors.js";
import type { BundledModel, ModelType } from "./known-names.js";
import type { Kind, Method } from "./method/method.js";
import type { OptionsOf } from "./method/options.js";
import type { MethodsOf } from "./methods.js";
import type { ModelSpec } from "./model/spec.js";
import type { RoutingTrace } from "./offload/trace.js";
import type { Plan } from "./plan/plan.js";
import { shown } from "./shown.js";
import { type AdapterRef, adaptStage } from "./stages/adapt.js";
import { applyStage, type ChangeOptions, changeStage, checkChange, planStage } from "./stages/change.js";
import { type Arm, type CompareOptions, compareStage, type Comparison } from "./stages/compare.js";
import { type CreateOptions, createStage } from "./stages/create.js";
import { type DistillOptions, distillStage } from "./stages/distill.js";
import { type EvaluateOptions, evaluateStage } from "./stages/evaluate.js";
import { type Forecast, forecastStage } from "./stages/forecast.js";
import { generateStage, type GenerateTextOptions, type Prompt } from "./stages/generate.js";
import type { Generation } from "./stages/generation.js";
import { type LoadOptions, loadStage } from "./stages/load.js";
import type { MemoryOptions } from "./stages/memory.js";
import { type ProfileOptions, profileStage } from "./stages/profile.js";
import { saveStage, type SaveStageOptions } from "./stages/save.js";
import { sourcesStage } from "./stages/sources.js";
import { type MemoryForecast, memoryStage, type StageMemoryOptions } from "./stages/stage-memory.js";
import { type StudyState } from "./stages/study-state.js";
import { Study } from "./stages/study.js";
import { type TraceOptions, traceStage } from "./stages/trace.js";
import { trainStage, type TrainStageOptions } from "./stages/train.js";
import { upcycleStage, type UpcycleStageOptions } from "./stages/upcycle.js";
import { updateStage, type UpdateStageOptions } from "./stages/update.js";
import { DISPLAY, type MimeBundle } from "./view/displayable.js";

/** A method of a verb by its name, or one of your own. */
export type Named<K extends Kind> = keyof MethodsOf<K> | (string & {}) | Method;

/** The method and its own options; those of a method of your own that is named are checked when it is looked up. */
export type OptionsFor<K extends Kind, M> =
  & { method: M; signal?: AbortSignal; state?: string }
  & MemoryOptions
  & Looked<MethodsOf<K>, M>;
type Looked<Methods, M> = M extends keyof Methods ? Methods[M] : OptionsOf<M>;

/** Arms of a comparison: each a name, a method and the options of that method. */
export type ArmsOf<M extends readonly Named<Kind>[]> = readonly [
  ...{ [I in keyof M]: { arm: string } & OptionsFor<Kind, M[I]> },
];

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
  /** Records which experts the model chooses, token by token: what policies of offloading are tried on. */
  trace(options?: TraceOptions): Promise<RoutingTrace>;
  /** Continues text, several texts or a conversation with the model as it is now; see `Study.generate`. */
  generate(prompt: Prompt, options?: GenerateTextOptions): Promise<Generation>;
}

/** A model that was opened: it can be measured, scored, or changed by a plan that was made before. */
export interface Loaded extends Anywhere {
  /** Measures usage, router-logit similarity and what else methods read, on training items. */
  profile(options?: ProfileOptions): Profiled;
  /** Carries out a plan that was made for these very weights. */
  apply(plan: Plan, options?: MemoryOptions): ChangedUnmeasured;
  /** Opens further models that plans may read, by name: `{ tuned: "path/or/name" }`. */
  with(sources: Readonly<Record<string, string>>): Loaded;
  /** Puts LoRA adapters (PEFT) on the model as it was loaded: a folder, or several that act together. */
  adapt(adapters: AdapterRef | readonly AdapterRef[]): ChangedUnmeasured;
  /** Trains the model on: a new one, or on a task; `{ prune: { keep } }` drops experts on the way. */
  train(options?: TrainStageOptions): ChangedUnmeasured;
  /** Copies each feed-forward block of a dense model into experts: `{ experts: 8, topK: 2 }`. */
  upcycle(options: UpcycleStageOptions): Loaded;
}

/** A model that was changed before anything was measured: there is no data to measure again on, so profile it first. */
export interface ChangedUnmeasured extends Loaded {
  /** Fine-tunes with the model as loaded as teacher. */
  distill(options?: DistillOptions): ChangedUnmeasured;
  /** Keeps of what training changed only a small update: `{ by: "compeft", density: 0.05, alpha: [1, 2, 4] }`. */
  update(options: UpdateStageOptions): ChangedUnmeasured;
}

/**
 * A model that was measured: methods can plan. They read a profile of the very weights that they change: after a change
 * each of these verbs measures again by itself, on the data of the last profile.
 */
export interface Profiled extends Anywhere {
  /** Carries out a plan that was made for these very weights; one that weighs by a statistic finds it here. */
  apply(plan: Plan, options?: MemoryOptions): Changed;
  /** Makes a method's plan and stops before carrying it out. */
  plan<const M extends Named<Kind>>(options: OptionsFor<Kind, M>): Planned;
  /** Experts become fewer by averaging: `{ method: "m-smoe", keep: 0.25 }`. */
  merge<const M extends Named<"merge">>(options: OptionsFor<"merge", M>): Changed;
  /** Experts become fewer by leaving some out: `{ method: "frequency", keep: 0.25 }`. */
  prune<const M extends Named<"prune">>(options: OptionsFor<"prune", M>): Changed;
  /** Matrices are stored in fewer numbers. */
  compress<const M extends Named<"compress">>(options: OptionsFor<"compress", M>): Changed;
  /** Routers choose differently: `{ method: "dynamic-skipping" }`. */
  route<const M extends Named<"route">>(options: OptionsFor<"route", M>): Changed;
  /** Scores several methods on the same items. */
  compare<const M extends readonly Named<Kind>[]>(arms: ArmsOf<M>, options?: CompareOptions): Promise<Comparison>;
}

/** A model with a plan that was not carried out. */
export interface Planned extends PromiseLike<Study> {
  /** Parameters, bytes and FLOPs after the plan, before anything is done. */
  forecast(): Promise<Forecast>;
  apply(plan?: undefined, options?: MemoryOptions): Changed;
}

/** A model that was measured and then changed: further methods measure it again, on the same data. */
export interface Changed extends Profiled {
  /** Measures the changed model, on data of your choice. */
  profile(options?: ProfileOptions): Profiled;
  /** Fine-tunes with the model as loaded as teacher. */
  distill(options?: DistillOptions): Changed;
  /** Trains on without a teacher. */
  train(options?: TrainStageOptions): Changed;
  /** Keeps of what training changed only a small update: see `ChangedUnmeasured.update`. */
  update(options: UpdateStageOptions): ChangedUnmeasured;
}

export interface Evaluated extends PromiseLike<Study> {
  save: Anywhere["save"];
}

/** The fluent chain: every verb is one stage, run when the chain is awaited, once. */
class Chain implements Loaded, Profiled, Planned, Changed, ChangedUnmeasured, Evaluated {
  private state?: Promise<StudyState>;

  /** @param calls as they are written: what the chain would do */
  constructor(
    private readonly run: () => Promise<StudyState>,
    private readonly calls: string[],
    private readonly checks: (() => void)[] = [],
  ) {}

  /** A chain that nobody awaited: its options are checked, and what it would do is said. */
  [DISPLAY](): MimeBundle {
    for (const check of this.checks) check();
    return { data: { "text/plain": this[inspect.custom]() } };
  }
  [inspect.custom](): string {
    return `${this.calls.join("\n  .")}\n(${this.state ? "this chain runs" : "nothing has run"}: await runs it and `
      + "gives a Study)";
  }

  profile(options?: ProfileOptions) {
    return this.next(["profile", options], (study) => profileStage(study, options));
  }
  // what these five and compare take is what the interfaces say
  plan(options: never) {
    return this.next(["plan", options], (study) => planStage(study, options), () => checkChange(options));
  }
  merge(options: never) {
    return this.change(options, "merge");
  }
  prune(options: never) {
    return this.change(options, "prune");
  }
  compress(options: never) {
    return this.change(options, "compress");
  }
  route(options: never) {
    return this.change(options, "route");
  }
  apply(plan?: Plan, options?: MemoryOptions) {
    return this.next(["apply", options], (study) => applyStage(study, plan, options));
  }
  update(options: UpdateStageOptions) {
    return this.next(["update", options], (study) => updateStage(study, options));
  }
  adapt(adapters: AdapterRef | readonly AdapterRef[]) {
    return this.next(["adapt", adapters], (study) => adaptStage(study, adapters));
  }
  with(sources: Readonly<Record<string, string>>) {
    return this.next(["with", sources], (study) => sourcesStage(study, sources));
  }
  upcycle(options: UpcycleStageOptions) {
    return this.next(["upcycle", options], (study) => upcycleStage(study, options));
  }
  train(options?: TrainStageOptions) {
    return this.next(["train", options], (study) => trainStage(study, options));
  }
  distill(options?: DistillOptions) {
    return this.next(["distill", options], (study) => distillStage(study, options));
  }
  evaluate(options?: EvaluateOptions) {
    return this.next(["evaluate", options], (study) => evaluateStage(study, options));
  }
  async forecast() {
    return forecastStage(await this.settled());
  }
  async memory(options?: StageMemoryOptions) {
    return memoryStage(await this.settled(), options);
  }
  async compare(given: never, options?: CompareOptions) {
    const arms: readonly Arm[] = given;
    requireOptions("compare", options);
    for (const { arm: _, ...change } of arms) checkChange(change);
    return compareStage(await this.settled(), arms, options);
  }
  async save(folder: string, options?: SaveStageOptions) {
    requireOptions("save", options);
    return saveStage(await this.settled(), folder, options);
  }
  async trace(options?: TraceOptions) {
    return traceStage(await this.settled(), options);
  }
  async generate(prompt: Prompt, options?: GenerateTextOptions) {
    requireOptions("generate", options);
    return generateStage(await this.settled(), prompt, options);
  }

  then<A = Study, B = never>(
    done?: ((study: Study) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.settled().then((state) => new Study(state)).then(done, failed);
  }

  private change(options: ChangeOptions, kind: Kind): Chain {
    return this.next([kind, options], (study) => changeStage(study, options, kind), () => checkChange(options, kind));
  }

  /** @param check what can be seen to be wrong before any stage of the chain has run */
  private next(
    [name, options]: [name: string, options: unknown],
    stage: (study: StudyState) => Promise<StudyState>,
    check?: () => void,
  ): Chain {
    const checks = [() => requireOptions(name, options), ...(check ? [check] : [])];
    return new Chain(async () => {
      for (const each of checks) each();
      return stage(await this.settled());
    }, [...this.calls, called(name, options)], [...this.checks, ...checks]);
  }

  private settled(): Promise<StudyState> {
    return (this.state ??= this.run());
  }
}

/** @throws MoeError `bad-options` */
function requireOptions(name: string, options: unknown): void {
  if (options === undefined || name === "adapt") return;
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new MoeError("bad-options",
    `${name}: the options are ${shown(options)}; accepted is an object, such as ${name}({ … }). Give one, or none.`);
}

function called(name: string, ...args: unknown[]): string {
  const given = args.filter((arg) => arg !== undefined).map((arg) => inspect(arg, { depth: 1, breakLength: Infinity }));
  return `${name}(${given.join(", ")})`;
}

/**
 * Opens a model and begins a chain: a folder, a bundled model, or `org/name[@revision]` of the Hugging Face cache or
 * hub.
 *
 * @example
 * const study = await load("nano-switch").profile().merge({ method: "m-smoe", keep: 0.25 }).evaluate();
 */
export function load(ref: BundledModel | (string & {}), options?: LoadOptions): Loaded {
  return new Chain(() => loadStage(ref, options), [called("load", ref, options)]);
}

/** A Hugging Face configuration or a ModelSpec. */
export type Architecture = Record<string, unknown> | { model_type: ModelType | (string & {}); [key: string]: unknown }
  | ModelSpec;

/**
 * Begins a chain with a new model of random weights: a Hugging Face configuration or a ModelSpec.
 *
 * @example
 * const study = await create({ model_type: "mixtral", hidden_size: 64, … }, { tokenizer: "nano-decoder" }).train({
 * corpus: "moby-dick", steps: 200 });
 */
export function create(architecture: Architecture, options?: CreateOptions): Loaded {
  return new Chain(() => createStage(architecture, options), [called("create", architecture, options)]);
}

/**
 * Goes on from a study, as far as it is: `from(study).merge(…)` after a profile, `.forecast()` after a plan,
 * `.profile()` after a change.
 */
export function from(study: Study): Loaded & Planned & Changed {
  return new Chain(async () => study.state, ["from(study)"]);
}
