import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import type { TrainingBatch } from "../model/batch.js";
import type { MoeRecord } from "../model/pass.js";
import type { LayerId, ModelSpec } from "../model/spec.js";
import type { Trainable } from "../model/trainable.js";
import { adamW, oneHot, ready, tf } from "../tensor/index.js";
import { checkTraining } from "./check-options.js";
import { collapsedLayers, type Load } from "./collapse.js";
import type { DistillationOptions } from "./distillation-loss.js";
import { microBatches } from "./micro-batches.js";
import { notFinite } from "./not-finite.js";
import type { TrainingRule } from "./rules/training-rule.js";
import { schedule, type ScheduleName } from "./schedule.js";
import { type LossOptions, stepLoss } from "./step-loss.js";
import type { TrainingPruning } from "./training-pruning.js";
import { KeptTraining, type TrainingState } from "./training-state.js";

export interface TrainOptions extends LossOptions {
  steps: number;
  /** the batch of step 1, 2, …; a function of the step alone, so that a resumed run sees the same data */
  batch(step: number): TrainingBatch | Promise<TrainingBatch>;
  /** highest learning rate */
  lr: number;
  schedule?: ScheduleName;
  warmup?: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  /** decoupled weight decay, on matrices only (gains and biases are left out) */
  decay?: number;
  /** largest norm of all gradients together; default no limit */
  clip?: number;
  /** parts that a batch is taken in, one after the other, so that it needs less memory; default 1 */
  accumulate?: number;
  /** variables that stay as they are, by name, e.g. (name) => name.endsWith(".router") */
  frozen?(name: string): boolean;
  /** adds `alpha` times the distance to these logits [N, V] of the teacher for the batch of a step */
  distill?: { alpha: number;
    teacher(
      step: number,
      batch: TrainingBatch,
    ): Promise<Tensor>; /** padding positions count too, as in the paper's code; default false */
    countPadding?: boolean } & DistillationOptions;
  /** takes weights or experts away after each optimiser step: `RowPruning`, `EagerPruning` */
  pruning?: TrainingPruning;
  /** what the forward pass of a step does otherwise: fewer choices, experts that are left out */
  rules?: readonly TrainingRule[];
  /**
   * measures a loss every so many steps and at the last; training ends early when it has not fallen for `patience`
   * measurements (default never)
   */
  check?: { every: number; loss(model: Trainable): Promise<number>; patience?: number };
  /** after every optimiser step */
  onStep?(report: StepReport): void | Promise<void>;
  /**
   * Folder that receives the state every so many steps, and that the same run goes on from. What else lies there stays.
   * `key` is, as JSON would have it, what the functions of these options depend on: data, seed, teacher. All other
   * options and the weights at the start count as well.
   */
  state?: { folder: string; every: number; key: unknown };
  signal?: AbortSignal;
}

export interface StepReport {
  step: number;
  steps: number;
  loss: number;
  lr: number;
  timeMs: number;
  tokens: number;
  /** of every tenth step and the last: how often each router output was chosen */
  load?: Load;
}

/** Loss of each step, resumed ones included. */
export interface TrainResult {
  losses: number[];
  /** how many were taken; fewer than asked where `check` ended the run */
  steps: number;
  timeMs: number;
  checks: { step: number; loss: number }[];
  /** what routers chose in the last steps that were looked at */
  load: Load;
  /** layers whose routers send nearly every token to the same experts */
  collapsed: LayerId[];
}

/** routers are looked at every so many steps */
const LOOK = 10;

/**
 * Trains in place with AdamW. The same seed of data and weights on the same back end gives the same losses,
 * interrupted or not.
 *
 * @throws MoeError `aborted` (the state of the last save stays), `diverged` when the loss is not a number,
 *   `state-of-another-run`, `being-written`, `cannot-write`; FormatError `bad-state`
 */
export async function train(model: Trainable, options: TrainOptions): Promise<TrainResult> {
  checkTraining("train", options);
  await ready();
  const { steps, lr, beta1 = 0.9, beta2 = 0.98, eps = 1e-6, decay = 0.01, warmup = 0, signal } = options;
  const rate = schedule(options.schedule ?? "linear", steps, warmup);
  const trained = model.variables().filter(({ name }) => !model.isFrozen(name) && !options.frozen?.(name));
  const params = trained.map(({ variable }) => variable);
  const decays = trained.map(({ variable }) => (variable.rank >= 2 ? decay : 0));
  const zeros = () =>
    params.map((param) => tf.tidy(() => tf.variable(tf.zerosLike(param) as never, false) as Variable));
  const state: TrainingState = { step: 0, losses: [], checks: [], timeMs: 0, names: trained.map(({ name }) => name),
    params, first: zeros(), second: zeros(), pruning: options.pruning };
  let kept: KeptTraining | undefined;
  let load: Load = {};
  try {
    if (options.state) kept = await KeptTraining.open(options.state.folder, state, keyOf(model, options));
    while (state.step < steps && !isStale(state.checks, options.check?.patience)) {
      if (signal?.aborted)
        throw new MoeError("aborted", `train: stopped after step ${state.step} of ${steps} at the caller's request.`);
      const started = performance.now();
      const step = state.step + 1;
      const batch = await options.batch(step);
      const spec = (options.rules ?? []).reduce((spec, rule) => rule.before(step, steps, spec), model.spec);
      const looks = options.pruning?.countsChoices || step % LOOK === 0 || step === steps;
      const { value, norm, gradients, counts } = await differentiate(model, batch, { ...options, step, spec, params,
        looks });
      const named = trained.map(({ name, variable }, i) => ({ name, variable, gradient: gradients[i] ?? undefined }));
      try {
        if (!Number.isFinite(value) || !Number.isFinite(norm)) {
          if (step > 1) await kept?.save();
          throw await notFinite(model, { step, loss: value, lr, batch, spec, seed: `${step}`,
            saved: step > 1 ? options.state?.folder : undefined }, named);
        }
        tf.tidy(() =>
          adamW(params, gradients, state.first, state.second, step, { lr: lr * rate(step), beta1, beta2, eps,
            decay: decays, clip: options.clip })
        );
        if (options.pruning) await prune(options.pruning, step, named, counts);
      } finally {
        tf.dispose(gradients.filter((gradient) => gradient !== null) as Tensor[]);
      }
      // of the last tenth of the run all that was seen counts
      if (looks) load = step > 0.9 * steps + LOOK ? added(load, counts) : counts;
      state.step = step;
      state.losses.push(value);
      state.timeMs += performance.now() - started;
      if (options.check && (step % options.check.every === 0 || step === steps))
        state.checks.push({ step, loss: await options.check.loss(model) });
      await options.onStep?.({ step, steps, loss: value, lr: lr * rate(step), timeMs: performance.now() - started,
        tokens: tokensOf(batch), ...(looks && { load }) });
      if (kept && (step % options.state!.every === 0 || step === steps)) await kept.save();
    }
    return { losses: state.losses, steps: state.step, timeMs: state.timeMs, checks: state.checks, load,
      collapsed: collapsedLayers(load, model.spec) };
  } finally {
    tf.dispose([state.first, state.second] as never);
    await kept?.close();
  }
}

function added(load: Load, more: Load): Load {
  return Object.fromEntries(
    Object.entries(more).map(
      ([id, { counts, tokens }]) => [id, { tokens: tokens + (load[id]?.tokens ?? 0),
        counts: counts.map((count, expert) => count + (load[id]?.counts[expert] ?? 0)) }]
    ),
  );
}

/** Whether the last `patience` measurements are all no better than the best before them. */
function isStale(checks: readonly { loss: number }[], patience = Infinity): boolean {
  if (checks.length <= patience) return false;
  const best = Math.min(...checks.slice(0, -patience).map(({ loss }) => loss));
  return checks.slice(-patience).every(({ loss }) => loss >= best);
}

type StepOptions = TrainOptions & { step: number; spec: ModelSpec; params: Variable[]; looks: boolean };

/** Loss and gradients of a step, the latter kept; what its routers chose. */
async function differentiate(model: Trainable, whole: TrainingBatch, options: StepOptions): Promise<
  { value: number; norm: number; gradients: (Tensor | null)[]; counts: Load }
> {
  const { step, params, accumulate = 1, distill } = options;
  const teacher = await distill?.teacher(step, whole);
  const parts = accumulate === 1
    ? [{ batch: whole, share: 1, rows: undefined }]
    : microBatches(whole, accumulate, options.weighting);
  let gradients: (Tensor | null)[] = params.map(() => null);
  const chosen: { id: LayerId; counts: Tensor; tokens: number }[] = [];
  const losses: Tensor[] = [];
  for (const [at, { batch, share, rows }] of parts.entries()) {
    const seed = at === 0 ? `${step}` : `${step} ${at}`;
    const onMoe = ({ layer, choice, spec, real }: MoeRecord) => {
      const counts = tf.keep(tf.tidy(() => tf.sum(oneHot(tf.reshape(choice, [-1]), spec.experts), 0)));
      chosen.push({ id: layer, counts, tokens: real ? real.reduce((sum, one) => sum + one, 0) : choice.shape[0] });
    };
    const T = whole.labels[0].length;
    losses.push(tf.tidy(() => {
      const own = teacher && rows ? tf.slice(teacher, [rows[0] * T, 0], [(rows[1] - rows[0]) * T, -1]) : teacher;
      const { value, grads } = tf.variableGrads(
        () =>
          stepLoss(model, batch, { ...options, teacher: own, distill, seed, share, ...(options.looks && { onMoe }) }),
        params,
      );
      gradients = gradients.map((sum, i) => {
        const one = grads[params[i].name];
        if (!one) return sum;
        const all = tf.keep(sum ? tf.add(sum, one) : tf.clone(one));
        sum?.dispose();
        return all;
      });
      return value;
    }));
  }
  teacher?.dispose();
  const [loss, squares] = tf.tidy(
    () => [tf.addN(losses),
      tf.addN([tf.scalar(0), ...gradients.flatMap((one) => (one ? [tf.sum(tf.square(one))] : []))])]
  );
  const [[value], [square]] = [await loss.data(), await squares.data()];
  tf.dispose([loss, squares, ...losses]);
  const counts: Load = {};
  for (const { id, counts: tensor, tokens } of chosen) {
    const own = await tensor.data();
    tensor.dispose();
    const sum = counts[id] ??= { counts: new Array<number>(own.length).fill(0), tokens: 0 };
    own.forEach((count, expert) => (sum.counts[expert] += count));
    sum.tokens += tokens;
  }
  return { value, norm: Math.sqrt(square), gradients, counts };
}

/** All that a run depends on besides its weights: functions are not in JSON, so the caller's key stands for them. */
function keyOf({ spec }: Trainable, { state, signal: _, pruning: __, rules: ___, ...options }: TrainOptions): unknown {
  return [state!.key, options, spec];
}

/** Shows a step to the pruner. */
async function prune(
  pruning: TrainingPruning,
  step: number,
  trained: readonly { name: string; variable: Variable; gradient?: Tensor }[],
  load: Load,
): Promise<void> {
  const none: Tensor[] = [];
  const variables = Object.fromEntries(
    trained.filter(({ name }) => pruning.reads(name)).map(({ name, variable, gradient }) => {
      if (!gradient) none.push(gradient = tf.zerosLike(variable));
      return [name, { weight: variable, gradient }];
    }),
  );
  const counts = pruning.countsChoices ? Object.entries(load).map(([id, { counts }]) => [id, counts]) : [];
  await pruning.after(step, { variables, counts: Object.fromEntries(counts) });
  tf.dispose(none);
}

function tokensOf(batch: TrainingBatch): number {
  const real = batch.mask
    ? batch.mask.flat().reduce((sum, one) => sum + one, 0)
    : batch.ids.length * batch.ids[0].length;
  return real + (batch.decoderIds ? batch.labels.flat().filter((label) => label >= 0).length : 0);
}
