import { basename } from "node:path";
import { readFamily } from "../checkpoint/family.js";
import { resolveModel, type ResolveModelOptions } from "../checkpoint/hub.js";
import { openModel } from "../checkpoint/open-model.js";
import { measureStage } from "./measure-stage.js";
import { defaultMemory, limitMemory, type MemoryOptions } from "./memory.js";
import type { StudyState } from "./study-state.js";

export interface LoadOptions extends ResolveModelOptions, MemoryOptions {
  /** hold a layer on the device once it was read, as far as `memory` goes (default), or read it again for each use */
  keep?: boolean;
  /** a family file of one's own, in place of the bundled one for the model_type; `moelab family check` tries it */
  family?: string;
}

/**
 * Opens a model: a folder with config.json and safetensors, the name of a bundled model, or `org/name[@revision]` from
 * the
 * Hugging Face cache or hub.
 */
export async function loadStage(ref: string, options: LoadOptions = {}): Promise<StudyState> {
  const took = measureStage();
  const { keep, memory, family, ...resolving } = options;
  const folder = await resolveModel(ref, resolving);
  const opened = await openModel(folder, { id: basename(ref), keep, memory: defaultMemory(),
    ...(family !== undefined && { family: readFamily(family) }) });
  limitMemory(opened.model, { memory });
  return { model: opened.model, original: opened.model, opened, warnings: opened.notes,
    steps: [{ stage: "load", options: { model: ref }, ...took() }] };
}
