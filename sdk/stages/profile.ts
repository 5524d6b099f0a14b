import { MoeError } from "../errors.js";
import { formatBytes } from "../format.js";
import type { Model } from "../model/model.js";
import { moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { layerProfiles, profileOf } from "../profile/build-profile.js";
import { classesOf, ExpertGradients, type GradientKind, sequences } from "../profile/expert-gradients.js";
import { measurements, needsGradients, tensorStatistics } from "../profile/measurements.js";
import { givenProfile } from "../profile/profile-file.js";
import { ProfileState } from "../profile/profile-state.js";
import type { Profile } from "../profile/profile.js";
import { starvedWarning } from "../profile/starved-experts.js";
import type { Statistic } from "../profile/statistic.js";
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
  if (moeLayers(model.spec).length === 0)
    throw new MoeError("no-experts",
      `profile: ${model.id} has no MoE layer; accepted is a model with at least one. Load a `
        + "Mixture-of-Experts checkpoint.");
  const { data: _, signal, from, ...shown } = options;
  const { statistics = [...USUAL], state } = options;
  const before = from === undefined ? undefined : await givenProfile(from, await model.weights.fingerprint());
  const calibration = on ?? (before ? await calibrationOf(study, before, options) : await calibrate(study, options));
  const tensors = before ? {} : await measureTensors(model, calibration, statistics, signal);
  const profile = before ?? await measure(model, calibration, statistics, signal, tensors, state);
  const { id } = calibration;
  const warning = starvedWarning(profile, statistics);
  return { ...study, profile, calibration, tensors, plan: undefined,
    warnings: [...(study.opened.notes ?? []), ...(warning ? [warning] : [])],
    steps: [...study.steps, { stage: "profile",
      options: { ...shown, ...(before && { from: typeof from === "string" ? from : "given" }), data: id },
      ...took() }] };
}

/**
 * One sweep with the observers of these statistics. A layer's are done when the layer is: its sums are not kept any
 * longer.
 *
 * @param state folder that keeps what was measured and the activations of the last layer
 */
export async function measure(
  model: Model,
  calibration: Calibration,
  statistics: Statistic[],
  signal = kernelHost()?.signal,
  tensors: StudyState["tensors"] = {},
  state?: string,
): Promise<Profile> {
  const { batches, ...data } = calibration;
  const print = await model.weights.fingerprint();
  const begin = () => measurements(statistics, model, { gradients: tensors.gradients });
  const { observers, finish } = begin();
  const kept = state === undefined
    ? undefined
    : await ProfileState.open(state, [print, model.spec, observers.map(({ name }) => name), data.fingerprint, batches]);
  try {
    const layers = (await kept?.layers()) ?? {};
    await observe(model, calibration, observers, signal, {
      state: kept,
      onLayer(layer) {
        const measured = layerProfiles(observers)[layer];
        observers.splice(0, observers.length, ...begin().observers);
        if (!measured) return;
        layers[layer] = measured;
        kept?.add(layer, measured);
      },
    });
    return finish(profileOf(layers, { model: { id: model.id, fingerprint: print }, data }));
  } finally {
    await kept?.close();
  }
}

/**
 * Gradients of the task loss, and what is made from them, as far as these statistics ask for it and `have` lacks it.
 */
export async function measureTensors(
  model: Model,
  calibration: Calibration,
  statistics: Statistic[],
  signal = kernelHost()?.signal,
  have: StudyState["tensors"] = {},
): Promise<NonNullable<StudyState["tensors"]>> {
  const asked = tensorStatistics.filter((kind) =>
    !have[kind] && (statistics.includes(kind) || (kind === "gradients" && statistics.some(needsGradients)))
  );
  const tensors = { ...have };
  for (const kind of asked) tensors[kind] = await gradientsOf(kind, model, calibration, signal);
  return tensors;
}

async function gradientsOf(
  kind: GradientKind,
  model: Model,
  calibration: Calibration,
  signal?: AbortSignal,
): Promise<WeightSource> {
  const neededBytes = ExpertGradients.sizeBytes(model.spec);
  if (neededBytes > model.memory.bytes) {
    throw new MoeError("model-too-large",
      `profile: ${kind} of ${model.id} need ${formatBytes(neededBytes)}, all weights and of each expert `
        + "weight its gradient and the sum, beside the activations; the memory is "
        + `${formatBytes(model.memory.bytes)}. Give more with { memory } where the machine has it, or choose a `
        + "method or statistics without gradients.");
  }
  const classes = kind === "fisher.classes" ? classesOf(calibration.batches) : [];
  // what is squared is taken sequence by sequence, so that it can be seen and stopped on the way
  const parts = kind === "gradients"
    ? calibration.batches
    : calibration.batches.flatMap((batch) => (batch.labels ? sequences(batch) : batch));
  const bar = progress({ label: `${kind} of ${model.id}`, total: parts.length,
    unit: kind === "gradients" ? "batches" : "sequences", signal });
  const sums = await ExpertGradients.of(kind, model, classes);
  try {
    for (const batch of parts) {
      if (signal?.aborted)
        throw new MoeError("aborted", `profile: ${kind} of ${model.id} were stopped at the caller's request.`);
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
