import { AdaptedWeights } from "../compose/adapted-weights.js";
import { compressUpdate, taskVector, type Update, type UpdateOptions } from "../compose/update.js";
import { MoeError } from "../errors.js";
import { scoreTask } from "../evaluate/index.js";
import { Model } from "../model/model.js";
import { updateLayer } from "./adapt.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, taskData } from "./task-data.js";

/** Lists are tried, and the one with the least loss on `on` is taken: by ComPEFT, the validation part of the task. */
export interface UpdateStageOptions extends Omit<UpdateOptions, "density" | "alpha"> {
  density?: number | readonly number[];
  alpha?: number | readonly number[];
  /** items of the validation part to choose by; default 200 of the model's tasks */
  on?: DataOptions;
  signal?: AbortSignal;
}

/** The update of a trained study, before it is made small or after. @throws MoeError `wrong-order` */
export async function updateOf(study: StudyState, options: UpdateOptions): Promise<Update> {
  const base = baseOf(study);
  if (!base)
    throw new MoeError("wrong-order",
      `update: ${study.model.id} is as it was loaded, so nothing changed; accepted is a model that was trained. `
        + "Call .train() before.");
  return compressUpdate(taskVector(base.weights, study.model.weights), options);
}

/** What the model was before it was trained or changed. */
function baseOf({ model, original, base }: StudyState): Model | undefined {
  return base ?? (model === original ? undefined : original);
}

/**
 * Keeps of what training changed only what a small update says (ComPEFT, arXiv 2311.13171, and rivals): the model
 * becomes the one that was loaded plus that update.
 *
 * @throws MoeError `wrong-order`, `bad-update`, `aborted`
 */
export async function updateStage(study: StudyState, options: UpdateStageOptions): Promise<StudyState> {
  const took = measureStage();
  const { on = {}, signal, density: densities, alpha: alphas, ...rest } = options;
  const candidates = [densities].flat().flatMap((density) =>
    [alphas].flat().map((alpha) => ({ ...rest, ...(density !== undefined && { density: density as number }),
      ...(alpha !== undefined && { alpha: alpha as number }) })
    )
  );
  if (candidates.length === 0)
    throw new MoeError("bad-update", "update: a list of densities or alphas is empty; accepted is at least one.");
  const made = async (candidate: UpdateOptions) => {
    const update = await updateOf(study, candidate);
    const weights = new AdaptedWeights(baseOf(study)!.weights, [updateLayer(update)]);
    return { update, candidate,
      model: new Model(`${study.model.id}+${update.by}`, study.model.spec, weights, study.original) };
  };
  let best: Awaited<ReturnType<typeof made>> & { loss?: number } = await made(candidates[0]);
  const tried: { density?: number; alpha?: number; loss: number }[] = [];
  if (candidates.length > 1) {
    const { groups } = await taskData(study.opened, "dev", { ...on, items: on.items ?? 200 }, "update");
    const batches = groups.flatMap(({ batches }) => batches);
    for (const [at, candidate] of candidates.entries()) {
      if (signal?.aborted)
        throw new MoeError("aborted",
          `update: stopped after ${at} of ${candidates.length} candidates at the caller's request.`);
      const one = at === 0 ? best : await made(candidate);
      const { nll } = await scoreTask(one.model, batches, { signal });
      tried.push({ density: candidate.density, alpha: candidate.alpha, loss: nll.value });
      const better = best.loss === undefined || nll.value < best.loss;
      const worse = better ? best : one;
      if (better) best = { ...one, loss: nll.value };
      if (worse.model !== best.model) await worse.model.dispose();
    }
  }
  const { update: { by, kept, parameters, sizeBytes, scale }, candidate, model } = best;
  const said = { ...candidate, kept, parameters, sizeBytes, ...(scale !== undefined && { scale }),
    ...(tried.length > 0 && { tried }) };
  return { ...study, model, profile: undefined, calibration: undefined, plan: undefined, evaluation: undefined,
    steps: [...study.steps, { stage: "update", options: { ...said, by }, ...took() }] };
}
