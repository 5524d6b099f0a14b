import { createHash } from "node:crypto";
import { familyOf } from "../checkpoint/family.js";
import { AdaptedWeights } from "../compose/adapted-weights.js";
import { type Adapter, digestOf, readAdapter } from "../compose/adapter.js";
import { type Addition, placeAdapter } from "../compose/place-adapter.js";
import type { Update } from "../compose/update.js";
import { MoeError } from "../errors.js";
import { Model } from "../model/model.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";

/** A folder that peft wrote, an adapter that was read or combined, or a small update of the model. */
export type AdapterRef = string | Adapter | Update;

/**
 * Puts LoRA adapters or updates on the model as it was loaded; several act together, in their order. The weights are
 * made when they are read, so what is saved is the merged model.
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
  const layers = [], names: string[] = [];
  for (const ref of refs) {
    const one = typeof ref === "string" ? await readAdapter(ref) : ref;
    names.push("modules" in one ? one.id : one.by);
    layers.push(
      "modules" in one
        ? { additions: placeAdapter(one, model.spec, opened.family ?? familyOf(opened.config)), digest: digestOf(one) }
        : updateLayer(one),
    );
  }
  const adapted = new Model(`${model.id}+${names.join("+")}`, model.spec, new AdaptedWeights(model.weights, layers),
    model);
  return { ...study, model: adapted, profile: undefined, calibration: undefined, plan: undefined, evaluation: undefined,
    steps: [...study.steps, { stage: "adapt", options: { adapters: names }, ...took() }] };
}

/** An update as what it does to each weight. */
export function updateLayer({ tensors }: Update): { additions: Map<string, Addition>; digest: string } {
  const hash = createHash("sha256");
  for (const [name, { values }] of tensors)
    hash.update(`${name} `).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return { digest: hash.digest("hex"),
    additions: new Map([...tensors].map(([name, { values }]) => [name, { delta: async () => values }])) };
}
