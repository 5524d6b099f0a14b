import { openModel } from "../checkpoint/open-model.js";
import { resolveModel, type ResolveModelOptions } from "../checkpoint/hub.js";
import { freemem } from "node:os";
import { basename } from "node:path";
import { bytesFrom } from "../checkpoint/bytes-from.js";
import type { StudyState } from "./study.js";

export interface LoadOptions extends ResolveModelOptions {
  /** hold every layer on the device once it was read (default), or read it again for each use: for models larger than memory */
  keep?: boolean;
  /** bytes that layers may take on the device, e.g. "2GiB"; the one in use comes on top. Default: half of the memory that is free */
  memory?: number | string;
}

/**
 * Opens a model: a folder with config.json and safetensors, the name of a bundled model, or `org/name[@revision]` from the
 * Hugging Face cache or hub.
 */
export async function loadStage(ref: string, options: LoadOptions = {}): Promise<StudyState> {
  const started = performance.now();
  const { keep, memory, ...resolving } = options;
  const folder = await resolveModel(ref, resolving);
  const opened = await openModel(folder, { id: basename(ref), keep, memory: memory === undefined ? freemem() / 2 : bytesFrom(memory) });
  return { model: opened.model, original: opened.model, opened, steps: [{ stage: "load", options: { model: ref }, timeMs: performance.now() - started }] };
}
