import type { Variable } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import * as v from "valibot";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { FormatError } from "../errors.js";
import { requireRoom } from "../files/require-room.js";
import { StateFolder } from "../files/state-folder.js";
import { tf } from "../tensor/index.js";
import type { TrainingPruning } from "./training-pruning.js";

/** Everything that a run needs to go on as if it had not been interrupted. */
export interface TrainingState {
  step: number;
  losses: number[];
  checks: { step: number; loss: number }[];
  timeMs: number;
  names: string[];
  params: Variable[];
  first: Variable[];
  second: Variable[];
  /** what takes weights away has a memory of its own */
  pruning?: TrainingPruning;
}

const KINDS = ["params", "first", "second"] as const;
const [WEIGHTS, PRUNING] = ["weights.safetensors", "pruning.safetensors"];

const step = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e9));
const Progress = v.object({ step, losses: v.array(v.pipe(v.number(), v.finite())),
  timeMs: v.pipe(v.number(), v.finite(), v.minValue(0)),
  checks: v.optional(v.array(v.object({ step, loss: v.pipe(v.number(), v.finite()) })), []) });

/** Keeps a training in a folder: weights and moments in float32, the losses so far, the memory of what prunes. */
export class KeptTraining {
  private constructor(
    private readonly kept: StateFolder<v.InferOutput<typeof Progress>>,
    private readonly state: TrainingState,
  ) {}

  /**
   * Opens the folder and fills the state if the folder holds one of the same run: the same weights at the start, and
   * the same `key`.
   *
   * @throws MoeError `state-of-another-run`, `being-written`, `cannot-write`; FormatError `bad-state`
   */
  static async open(folder: string, state: TrainingState, key: unknown): Promise<KeptTraining> {
    const begun = createHash("sha256");
    for (const [i, name] of state.names.entries())
      begun.update(`${name} ${state.params[i].shape}\n`).update(await bytesOf(state.params[i]));
    const kept = await StateFolder.open(folder, { verb: "train", kind: "training", schema: Progress,
      key: [key, begun.digest("hex")] });
    try {
      const training = new KeptTraining(kept, state);
      const sizeBytes = KINDS.length * 4 * state.params.reduce((sum, { size }) => sum + size, 0);
      await requireRoom(folder, sizeBytes, { verb: "train" }); // the state before stays until the next one is whole
      if (kept.data) await training.restore(kept.data);
      return training;
    } catch (error) {
      await kept.close();
      throw error;
    }
  }

  async save(): Promise<void> {
    const { state } = this, { step, losses, checks, timeMs } = state;
    const infos = KINDS.flatMap((kind) =>
      state.names.map((name, i) => ({ name: `${kind}.${name}`, dtype: "F32" as const, shape: state[kind][i].shape }))
    );
    async function* data() {
      for (const kind of KINDS) {
        for (const [i, name] of state.names.entries())
          yield { name: `${kind}.${name}`, bytes: await bytesOf(state[kind][i]) };
      }
    }
    const memory = state.pruning && Object.entries(await state.pruning.state());
    await this.kept.replace({ step, losses, checks, timeMs }, {
      [WEIGHTS]: (path) => writeTensors(path, infos, data(), { verb: "train" }),
      ...(memory && {
        [PRUNING]: (path) =>
          writeTensors(path, memory.map(([name, { length }]) => ({ name, dtype: "F32", shape: [length] })),
            memory.map(([name, values]) => ({ name, bytes: bytes(values) })), { verb: "train" }),
      }),
    });
  }

  async close(): Promise<void> {
    await this.kept.close();
  }

  private async restore(progress: v.InferOutput<typeof Progress>): Promise<void> {
    const { kept, state } = this;
    const [weights, memory] = [kept.file(WEIGHTS), kept.file(PRUNING)];
    if (!weights || progress.losses.length !== progress.step || !memory !== !state.pruning)
      throw new FormatError("bad-state",
        `train: ${kept.folder} holds no whole state of a training. Remove its moelab-training.json, or give another.`);
    const store = await openTensors(weights);
    try {
      for (const kind of KINDS) {
        for (const [i, name] of state.names.entries()) {
          const variable = state[kind][i];
          const value = tf.tensor(await store.values(`${kind}.${name}`), variable.shape, "float32");
          variable.assign(value as never);
          value.dispose();
        }
      }
    } finally {
      await store.close();
    }
    if (state.pruning) {
      const file = await openTensors(memory!);
      const found: Record<string, Float32Array> = {};
      for (const name of file.names()) found[name] = await file.values(name);
      await file.close();
      state.pruning.restore(found);
    }
    Object.assign(state, progress);
  }
}

async function bytesOf(variable: Variable): Promise<Uint8Array> {
  return bytes((await variable.data()) as Float32Array);
}

function bytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
