import { MoeError } from "../errors.js";
import { Model } from "../model/model.js";
import { upcycledSpec, upcycledWeights, type UpcycleOptions } from "../model/upcycle.js";
import { Rng } from "../tensor/index.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";

export interface UpcycleStageOptions extends UpcycleOptions {
  /** of the routers' random weights; default 0 */
  seed?: number;
}

/**
 * Makes a dense model sparse: each feed-forward block is copied into so many experts (arXiv:2212.05055). The result is
 * what later changes are compared with. It has no Hugging Face configuration, so that it can be trained and scored, and
 * not saved for other software.
 *
 * @throws MoeError `not-dense` when no block can be copied; `bad-experts`
 */
export async function upcycleStage(study: StudyState, options: UpcycleStageOptions): Promise<StudyState> {
  const took = measureStage();
  const { experts, topK = 1, seed = 0 } = options;
  if (!Number.isInteger(experts) || experts < 1 || !Number.isInteger(topK) || topK < 1 || topK > experts)
    throw new MoeError("bad-experts",
      `upcycle: experts is ${experts}, topK ${topK}; accepted are whole numbers from 1, ` + "topK at most experts.");
  const { spec, layers } = upcycledSpec(study.model.spec, options);
  if (layers.length === 0)
    throw new MoeError("not-dense",
      `upcycle: ${study.model.id} has no dense feed-forward block there; accepted is a dense model. Load one.`);
  const weights = await upcycledWeights(spec, study.model.weights, new Rng(`upcycle ${seed}`));
  const model = new Model(`${study.model.id}+upcycled`, spec, weights, study.model);
  return { model, original: model, opened: { model, folder: study.opened.folder, config: {} },
    steps: [...study.steps, { stage: "upcycle", options: { ...options }, ...took() }] };
}
