import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { type TrainingBatch } from "../../sdk/model/batch.js";
import { initialize } from "../../sdk/model/initialize.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { Rng, tf } from "../../sdk/tensor/index.js";
import { train, type TrainOptions } from "../../sdk/train/train.js";

const config = fileURLToPath(new URL("../../data/models/nano-switch/config.json", import.meta.url));

interface NanoTraining extends Partial<TrainOptions> {
  steps: number;
  sequences?: number;
  seed?: number;
  /** changes every weight in its last place, up or down */
  nudge?: boolean;
  /** is shown the trained model */
  look?(model: Trainable): Promise<void>;
}

/**
 * Trains a model of nano-switch's architecture from fresh weights to copy what it reads, with the settings of the
 * bundled model; gives the loss of each step.
 */
export async function trainNano({ steps, sequences = 8, seed = 1, nudge = false, look, ...options }:
  NanoTraining): Promise<number[]> {
  const spec = await specFromConfig(JSON.parse(readFileSync(config, "utf8")));
  const model = await Trainable.from(spec, initialize(spec, new Rng(`weights ${seed}`)));
  const rng = new Rng("nudge");
  if (nudge) {
    for (const { variable } of model.variables())
      tf.tidy(() =>
        variable.assign(
          tf.mul(variable, tf.tensor(Float32Array.from({ length: variable.size }, () =>
            1 + (rng.int(3) - 1) * 2 ** -23), variable.shape)),
        )
      );
  }
  try {
    const { losses } = await train(model, {
      steps,
      batch: (step) => copying(new Rng(`batch ${seed} ${step}`), sequences),
      lr: 2e-3,
      warmup: 200,
      schedule: "constant",
      clip: 1,
      balance: 0.01,
      decay: 0.01,
      weighting: "example",
      ...options,
    });
    await look?.(model);
    return losses;
  } finally {
    model.dispose();
  }
}

/** Sequences of 9 to 12 random tokens whose first eight are asked for. */
function copying(rng: Rng, sequences: number): TrainingBatch {
  const ids = Array.from({ length: sequences }, () => Array.from({ length: 12 }, () => 2 + rng.int(1000)));
  const labels = ids.map((row) => row.slice(0, 8));
  return { ids, mask: ids.map((row, b) => row.map((_, t) => (t < 12 - (b % 4) ? 1 : 0))),
    decoderIds: labels.map((row) => [0, ...row.slice(0, -1)]), labels };
}
