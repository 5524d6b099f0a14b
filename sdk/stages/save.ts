import { saveModel, type SaveOptions } from "../checkpoint/save-model.js";
import { provenance } from "../evaluate/index.js";
import { ready } from "../tensor/index.js";
import type { StudyState } from "./study.js";

/** Writes the model as it is now, with where it comes from, to a new folder that `moe.load` opens again. */
export async function saveStage(study: StudyState, folder: string, options: Pick<SaveOptions, "dtype" | "overwrite"> = {}): Promise<void> {
  await ready();
  const about = provenance({ model: { id: study.model.id, fingerprint: await study.model.weights.fingerprint() } });
  const history = { model: study.opened.model.id, original: await study.original.weights.fingerprint(), steps: study.steps, ...about.moelab };
  await saveModel(folder, study.model, { ...options, config: study.opened.config, filesFrom: study.opened.folder, provenance: history });
}
