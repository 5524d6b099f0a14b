import type { Variable } from "@tensorflow/tfjs-core";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { MoeError } from "../errors.js";
import { tf } from "../tensor/index.js";
import type { TrainingPruning } from "./training-pruning.js";

/** Everything that a run needs to go on as if it had not been interrupted. */
export interface TrainingState {
  step: number;
  losses: number[];
  timeMs: number;
  names: string[];
  params: Variable[];
  first: Variable[];
  second: Variable[];
  /** what takes weights away has a memory of its own */
  pruning?: TrainingPruning;
}

const KINDS = ["params", "first", "second"] as const;

/** Writes weights and moments (float32) and the losses so far. The previous state stays until the new one is whole. */
export async function saveState(folder: string, state: TrainingState): Promise<void> {
  const next = `${folder}.part`;
  await rm(next, { recursive: true, force: true });
  await mkdir(next, { recursive: true });
  const infos = KINDS.flatMap((kind) =>
    state.names.map((name, i) => ({ name: `${kind}.${name}`, dtype: "F32" as const, shape: state[kind][i].shape }))
  );
  async function* data() {
    for (const kind of KINDS) {
      for (const [i, name] of state.names.entries()) {
        const values = (await state[kind][i].data()) as Float32Array;
        yield { name: `${kind}.${name}`, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
      }
    }
  }
  await writeTensors(join(next, "state.safetensors"), infos, data());
  if (state.pruning) {
    const kept = Object.entries(await state.pruning.state());
    await writeTensors(join(next, "pruning.safetensors"),
      kept.map(([name, { length }]) => ({ name, dtype: "F32" as const, shape: [length] })), pieces(kept));
  }
  await writeFile(join(next, "state.json"),
    JSON.stringify({ step: state.step, losses: state.losses, timeMs: state.timeMs }));
  await rm(folder, { recursive: true, force: true });
  await rename(next, folder);
}

async function* pieces(kept: [string, Float32Array][]) {
  for (const [name, { buffer, byteOffset, byteLength }] of kept)
    yield { name, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

/** Fills the state from a folder if it holds one. @throws MoeError `state-of-another-run` when the variables differ */
export async function restoreState(folder: string, state: TrainingState): Promise<void> {
  if (!existsSync(join(folder, "state.json"))) return;
  const store = await openTensors(join(folder, "state.safetensors"));
  try {
    for (const kind of KINDS) {
      for (const [i, name] of state.names.entries()) {
        const key = `${kind}.${name}`, variable = state[kind][i];
        if (!store.has(key) || store.info(key).shape.join() !== variable.shape.join()) {
          throw new MoeError("state-of-another-run",
            `train: ${folder} holds no ${key} of shape [${variable.shape}]; it is the state of another run. `
              + "Remove the folder, or give another.");
        }
        const value = tf.tensor(await store.values(key), variable.shape, "float32");
        variable.assign(value as never);
        value.dispose();
      }
    }
  } finally {
    await store.close();
  }
  if (state.pruning) {
    const file = join(folder, "pruning.safetensors");
    if (!existsSync(file))
      throw new MoeError("state-of-another-run",
        `train: ${folder} holds the state of a run without pruning. Remove the folder, or give another.`);
    const kept = await openTensors(file);
    const found: Record<string, Float32Array> = {};
    for (const name of kept.names()) found[name] = await kept.values(name);
    await kept.close();
    state.pruning.restore(found);
  }
  const { step, losses, timeMs } = JSON.parse(await readFile(join(folder, "state.json"), "utf8"));
  Object.assign(state, { step, losses, timeMs });
}
