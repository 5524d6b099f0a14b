import { FormatError, MoeError } from "../errors.js";
import { formatBytes } from "../format.js";
import { flattenBatch, type Rows } from "../model/batch.js";
import type { Model } from "../model/model.js";
import { moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { joined, measuredBy, profileOf } from "../profile/build-profile.js";
import { classesOf, ExpertGradients, sequences } from "../profile/expert-gradients.js";
import { gradientsIn, measurements, needsGradients } from "../profile/measurements.js";
import { anyModelNames, needsExperts } from "../profile/observers/named.js";
import { outputGradients } from "../profile/output-gradient.js";
import { givenProfile, statisticsBeside } from "../profile/profile-file.js";
import { checkedProfile } from "../profile/profile-schema.js";
import { ProfileState } from "../profile/profile-state.js";
import type { Profile } from "../profile/profile.js";
import { starvedWarning } from "../profile/starved-experts.js";
import { asSources } from "../profile/statistic-tensors.js";
import type { Statistic } from "../profile/statistic.js";
import { shown as inspected } from "../shown.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import { calibrate, calibrationOf, type CalibrationOptions } from "./calibrate.js";
import { measureStage } from "./measure-stage.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import { observe } from "./observe.js";
import type { Calibration, StudyState } from "./study-state.js";

export interface ProfileOptions extends CalibrationOptions, MemoryOptions {
  /** statistics to measure; default what most methods read. What a later method lacks is measured on the same data */
  statistics?: Statistic[];
  /** a profile that was measured before, or its file, in place of a new one; of these very weights */
  from?: string | Profile;
  /** keep what was measured of each layer in this folder, and go on from there after an interruption; all else stays */
  state?: string;
  signal?: AbortSignal;
}

export const USUAL: readonly Statistic[] = ["usage", "routerLogits", "coactivation", "gateMass"];
/** of a model without experts */
export const USUAL_DENSE: readonly Statistic[] = ["streamCosine"];

/**
 * Measures the model on training items: which experts run, how alike their router logits are, and what else is asked
 * for.
 *
 * @param on data of an earlier profile, in place of what the options choose
 */
export async function profileStage(
  study: StudyState,
  options: ProfileOptions = {},
  on?: Calibration,
): Promise<StudyState> {
  const took = measureStage();
  const { model } = study;
  limitMemory(model, options);
  const { data: _, signal, from, ...shown } = options;
  if (options.statistics !== undefined
    && !(Array.isArray(options.statistics) && options.statistics.every((name) => typeof name === "string")))
    throw new MoeError("bad-option",
      `profile: statistics is ${inspected(options.statistics)}; accepted is a list of names, such as ["usage"].`);
  const dense = moeLayers(model.spec).length === 0;
  const { statistics = dense ? [...USUAL_DENSE] : [...USUAL], state } = options;
  const ofExperts = dense && statistics.find(needsExperts);
  if (ofExperts)
    throw new MoeError("no-experts",
      `profile: ${model.id} has no MoE layer, and "${ofExperts}" is a statistic of experts; accepted are `
        + `${anyModelNames.join(", ")}. Choose one of these, or load a Mixture-of-Experts checkpoint.`);
  const before = from === undefined ? undefined : await givenProfile(from, await model.weights.fingerprint());
  const calibration = on ?? (before ? await calibrationOf(study, before, options) : await calibrate(study, options));
  const { profile, tensors } = before
    ? { profile: before, tensors: typeof from === "string" ? await statisticsBeside(from, before) : {} }
    : await measure(model, calibration, statistics, { signal, state });
  const { id } = calibration;
  const warning = starvedWarning(profile, statistics);
  return { ...study, profile, calibration, tensors, plan: undefined,
    warnings: [...(study.opened.notes ?? []), ...(warning ? [warning] : [])],
    steps: [...study.steps, { stage: "profile",
      options: { ...shown, ...(before && { from: typeof from === "string" ? from : "given" }), data: id },
      ...took() }] };
}

/**
 * Gradients as far as these statistics ask for them, then one sweep with the observers. A layer's are done when the
 * layer is: its sums are not kept any longer.
 *
 * @param options `state`: folder that keeps what was measured and the activations of the last layer; `have`: tensors
 *   that were measured before
 */
export async function measure(
  model: Model,
  calibration: Calibration,
  statistics: Statistic[],
  { signal = kernelHost()?.signal, state, have = {} }: {
    signal?: AbortSignal;
    state?: string;
    have?: StudyState["tensors"];
  } = {},
): Promise<{ profile: Profile; tensors: NonNullable<StudyState["tensors"]> }> {
  const { batches, ...data } = calibration;
  const tensors = { ...have };
  const asked = [...statistics, ...(statistics.some(needsGradients) ? ["gradients"] : [])];
  for (const name of asked.filter((name) => gradientsIn(name) && !tensors[name]))
    tensors[name] = await gradientsOf(name, model, calibration, signal);
  const print = await model.weights.fingerprint();
  const begin = () => measurements(statistics, model, { gradients: tensors.gradients });
  const { observers, finish } = begin();
  const spanning = observers.filter(({ spans }) => spans);
  if (state !== undefined && spanning.length > 0)
    throw new MoeError("no-state",
      `profile: ${spanning[0].name} compares layers with one another, so a sweep for it cannot go on where it was cut `
        + "off; accepted are statistics of single layers. Leave state out, or measure it apart.");
  const kept = state === undefined
    ? undefined
    : await ProfileState.open(state, [print, model.spec, observers.map(({ name }) => name), data.fingerprint, batches]);
  try {
    let measured = (await kept?.measured()) ?? measuredBy([]);
    await observe(model, calibration, observers, signal, {
      state: kept,
      onLayer(layer) {
        const seen = measuredBy(observers.filter(({ spans }) => !spans));
        observers.splice(0, observers.length, ...begin().observers.filter(({ spans }) => !spans), ...spanning);
        measured = joined(measured, seen);
        kept?.add(layer, seen);
      },
    });
    measured = joined(measured, measuredBy(spanning));
    if (statistics.includes("outputGradient")) {
      const blocks = Object.entries(await outputGradientsOf(model, calibration, signal));
      measured = joined(measured, { ...measuredBy([]),
        blocks: Object.fromEntries(blocks.map(([id, outputGradient]) => [id, { outputGradient }])) });
    }
    const profile = profileOf(measured, { model: { id: model.id, fingerprint: print }, data,
      ...(Object.keys(measured.layers).length === 0 && { tokens: tokensIn(calibration, model) }) });
    if (state !== undefined)
      checkedProfile(profile, (why) =>
        new FormatError("bad-state", `profile: ${state} holds what no sweep measures: ${why} Give another folder.`));
    return { profile: await finish(profile), tensors: { ...tensors, ...asSources(measured.tensors) } };
  } finally {
    await kept?.close();
  }
}

/** Real tokens of each stack. */
function tokensIn({ batches }: Calibration, { spec }: Model): Profile["tokens"] {
  const sides = batches.map((batch) => flattenBatch(batch, spec));
  const count = (rows: (Rows | undefined)[]) =>
    rows.reduce((sum, side) => sum + (side?.real?.reduce((all, one) => all + one, 0) ?? (side ? side.B * side.T : 0)),
      0);
  const [encoder, decoder] = [count(sides.map((side) => side.encoder)), count(sides.map((side) => side.decoder))];
  return { ...(encoder > 0 && { encoder }), decoder };
}

async function outputGradientsOf(model: Model, { batches }: Calibration, signal?: AbortSignal) {
  mustFit("outputGradient", model, ExpertGradients.sizeBytes(model.spec, () => false));
  const total = batches.reduce((sum, { ids }) => sum + ids.length, 0);
  const bar = progress({ label: `outputGradient of ${model.id}`, total, unit: "sequences", signal });
  try {
    const found = await outputGradients(model, batches, () => {
      notStopped("outputGradient", model, signal);
      bar.advance();
    });
    bar.done();
    return found;
  } catch (error) {
    bar.fail(error);
    throw error;
  }
}

function notStopped(name: string, model: Model, signal?: AbortSignal): void {
  if (signal?.aborted)
    throw new MoeError("aborted", `profile: ${name} of ${model.id} were stopped at the caller's request.`);
}

function mustFit(name: string, model: Model, neededBytes: number): void {
  if (neededBytes <= model.memory.bytes) return;
  throw new MoeError("model-too-large",
    `profile: ${name} of ${model.id} need ${formatBytes(neededBytes)}, all weights and of each that is asked for `
      + "its gradient and the sum, beside the activations; the memory is "
      + `${formatBytes(model.memory.bytes)}. Give more with { memory } where the machine has it, or choose a `
      + "method or statistics without gradients.");
}

async function gradientsOf(
  name: Statistic,
  model: Model,
  calibration: Calibration,
  signal?: AbortSignal,
): Promise<WeightSource> {
  const { kind, of } = gradientsIn(name)!;
  mustFit(name, model, ExpertGradients.sizeBytes(model.spec, of));
  const classes = kind === "fisher.classes" ? classesOf(calibration.batches) : [];
  // what is squared is taken sequence by sequence, so that it can be seen and stopped on the way
  const parts = kind === "gradients"
    ? calibration.batches
    : calibration.batches.flatMap((batch) => (batch.labels ? sequences(batch) : batch));
  const bar = progress({ label: `${name} of ${model.id}`, total: parts.length,
    unit: kind === "gradients" ? "batches" : "sequences", signal });
  const sums = await ExpertGradients.of(kind, model, classes, of);
  try {
    for (const batch of parts) {
      notStopped(name, model, signal);
      await sums.see(batch);
      bar.advance();
    }
    bar.done();
    return sums.result();
  } catch (error) {
    bar.fail(error);
    throw error;
  } finally {
    sums.dispose();
  }
}
