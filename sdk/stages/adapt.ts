import { familyOf } from "../checkpoint/family.js";
import { AdaptedWeights } from "../compose/adapted-weights.js";
import { type Adapter, readAdapter } from "../compose/adapter.js";
import { placeAdapter } from "../compose/place-adapter.js";
import { MoeError } from "../errors.js";
import { Model } from "../model/model.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";

/** A folder that peft wrote, or an adapter that was read or combined. */
export type AdapterRef = string | Adapter;

/**
 * Puts LoRA adapters on the model as it was loaded; several act together, in their order. The weights are made when
 * they are read, so what is saved is the merged model.
 *
 * @throws MoeError `wrong-order` after a change, `no-adapter`; FormatError `bad-adapter`
 */
export async function adaptStage(study: StudyState, given: AdapterRef | readonly AdapterRef[]): Promise<StudyState> {
  const took = measureStage();
  const refs = [given].flat() as AdapterRef[];
  const { model, original, opened } = study;
  if (model !== original)
    throw new MoeError("wrong-order",
      `adapt: ${model.id} was changed already, and adapters belong to the weights as they were; accepted is a model `
        + "right after it was loaded. Call .adapt() before.");
  if (refs.length === 0)
    throw new MoeError("no-adapter", "adapt: there is no adapter; accepted is at least one. Give a folder.");
  const family = opened.family ?? familyOf(opened.config);
  const adapters: Adapter[] = [];
  for (const ref of refs) adapters.push(typeof ref === "string" ? await readAdapter(ref) : ref);
  const weights = new AdaptedWeights(model.weights, adapters,
    adapters.map((adapter) => placeAdapter(adapter, model.spec, family)));
  const names = adapters.map(({ id }) => id);
  const adapted = new Model(`${model.id}+${names.join("+")}`, model.spec, weights, model);
  return { ...study, model: adapted, profile: undefined, calibration: undefined, plan: undefined, evaluation: undefined,
    steps: [...study.steps, { stage: "adapt", options: { adapters: names }, ...took() }] };
}
