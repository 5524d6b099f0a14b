import { existsSync } from "node:fs";
import { type OpenedModel, openModel } from "../../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../../sdk/checkpoint/save-model.js";
import { exclusively } from "../../../sdk/experiment/exclusive.js";
import { Trainable } from "../../../sdk/model/trainable.js";
import { packageFile } from "../../../sdk/package-file.js";
import { Rng } from "../../../sdk/tensor/index.js";
import { train } from "../../../sdk/train/train.js";
import { progress } from "../../../sdk/view/index.js";
import { draw, type Pool, trainingBatch } from "./pool.js";
import { pretrained, work } from "./pretrain.js";
import { finetuning, type Regime, study } from "./recipe.js";

/**
 * A pre-trained model fine-tuned on one task; `number` draws the order of the data. Kept in a folder, so that a later
 * run goes on.
 */
export async function finetuned(
  kind: Regime | "dense",
  seed: number,
  pool: Pool,
  number: number,
): Promise<OpenedModel> {
  const task = pool.task.definition.name;
  const folder = `${work}/${kind}-${seed}.${task}-${number}`;
  await exclusively(`${folder}.lock`, async () => {
    if (!existsSync(`${folder}/config.json`)) await finetune(kind, seed, pool, number, folder);
  }, { wait: true });
  return openModel(folder, { id: `${kind}-${seed}.${task}-${number}` });
}

async function finetune(
  kind: Regime | "dense",
  seed: number,
  pool: Pool,
  number: number,
  folder: string,
): Promise<void> {
  const task = pool.task.definition.name;
  const { model, config } = await openModel(await pretrained(kind, seed));
  const trainable = await Trainable.from(model.spec, model.weights);
  await model.dispose();
  const { batch: size, ...options } = finetuning;
  const bar = progress({ label: `train ${kind}-${seed}.${task}-${number}`, total: options.steps, unit: "steps" });
  await train(trainable, {
    ...options,
    weighting: "example",
    frozen: (weight) => weight.endsWith("router"),
    batch: (step) =>
      trainingBatch([draw(pool.train, size, new Rng(`${study} ${task} batch ${seed} ${number} ${step}`))]),
    onStep: ({ loss }) => bar.advance(1, `loss ${loss.toFixed(4)}`),
  });
  const weights = await trainable.snapshot();
  trainable.dispose();
  await saveModel(folder, { spec: model.spec, weights }, { config, dtype: "F32",
    filesFrom: packageFile("data/models/nano-switch"),
    provenance: { trainedBy: `data/studies/${study}`, kind, seed, task, number, recipe: finetuning },
    overwrite: true });
}
