import { type Saved, saveModel, type SaveOptions } from "../checkpoint/save-model.js";
import { provenance } from "../evaluate/index.js";
import { ready } from "../tensor/index.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import type { StudyState } from "./study-state.js";
import { tasksOf } from "./tasks-of.js";

export type SaveStageOptions = Pick<SaveOptions,
  "dtype" | "layout" | "format" | "maxShardBytes" | "overwrite" | "signal">;

/**
 * Writes the model as it is now, with where it comes from, to a new folder that `moe.load` opens again; with the layout
 * "expanded" or "pruned" every other consumer of the family runs it too.
 *
 * @returns what was written, and what each layout would take
 */
export async function saveStage(study: StudyState, folder: string, options: SaveStageOptions = {}): Promise<Saved> {
  await ready();
  const { opened, model, original, steps } = study;
  // a model that was made from a ModelSpec has no configuration: its own says the spec
  const config = Object.keys(opened.config).length > 0 ? opened.config : { model_type: "moelab" };
  const about = provenance({ model: { id: model.id, fingerprint: await model.weights.fingerprint() } });
  const history = { model: opened.model.id, original: await original.weights.fingerprint(), steps,
    tasks: await tasksOf(opened.folder, steps), ...about.moelab };
  let bar: ReturnType<typeof progress> | undefined;
  let shown = 0;
  const { signal = kernelHost()?.signal } = options;
  try {
    const saved = await saveModel(folder, model, {
      ...options,
      signal,
      config,
      family: opened.family,
      original: opened.store,
      filesFrom: opened.folder || undefined,
      provenance: history,
      onProgress: (done, total) => {
        bar ??= progress({ label: `save ${model.id}`, total, unit: "bytes", signal });
        bar.advance(done - shown);
        shown = done;
      },
    });
    bar?.done();
    return saved;
  } catch (error) {
    bar?.fail(error);
    throw error;
  }
}
