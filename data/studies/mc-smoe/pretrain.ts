import { existsSync } from "node:fs";
import { specFromConfig } from "../../../sdk/checkpoint/family.js";
import { openModel } from "../../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../../sdk/checkpoint/save-model.js";
import { exclusively } from "../../../sdk/experiment/exclusive.js";
import { initialize } from "../../../sdk/model/initialize.js";
import type { ModelSpec } from "../../../sdk/model/spec.js";
import { Trainable } from "../../../sdk/model/trainable.js";
import { upcycledWeights } from "../../../sdk/model/upcycle.js";
import type { WeightSource } from "../../../sdk/model/weight-source.js";
import { packageFile } from "../../../sdk/package-file.js";
import { Rng } from "../../../sdk/tensor/index.js";
import { train } from "../../../sdk/train/train.js";
import { progress } from "../../../sdk/view/index.js";
import { nanoConfig } from "../../models/nano-config.js";
import { draw, loadPool, tokenizer, trainingBatch } from "./pool.js";
import { denseConfig, mixture, pretraining, type Regime, study } from "./recipe.js";

export const work = packageFile(`out/studies/${study}`);

/** Folder of a pre-trained model; trained if it is not there, from where it was cut off, by one process at a time. */
export async function pretrained(kind: Regime | "dense", seed: number): Promise<string> {
  const folder = `${work}/${kind}-${seed}`;
  await exclusively(`${folder}.lock`, async () => {
    if (!existsSync(`${folder}/config.json`)) await pretrain(kind, seed, folder);
  }, { wait: true });
  return folder;
}

async function pretrain(kind: Regime | "dense", seed: number, folder: string): Promise<void> {
  const own = { ...(kind === "dense" ? denseConfig : nanoConfig), vocab_size: (await tokenizer()).size };
  const spec = await specFromConfig(own);
  const trainable = await Trainable.from(spec,
    kind === "upcycled" ? await upcycle(spec, seed) : initialize(spec, new Rng(`${study} ${kind} weights ${seed}`)));
  const pools = await Promise.all(Object.keys(mixture).map(loadPool));
  const options = pretraining[kind];
  const bar = progress({ label: `train ${kind}-${seed}`, total: options.steps, unit: "steps" });
  const result = await train(trainable, {
    ...options,
    weighting: "example",
    batch(step) {
      const rng = new Rng(`${study} batch ${seed} ${kind === "upcycled" ? "upcycled " : ""}${step}`);
      return trainingBatch(pools.map((pool) => draw(pool.train, mixture[pool.task.definition.name], rng)));
    },
    state: { folder: `${folder}-state`, every: 250, key: [study, kind, seed, mixture] },
    onStep: ({ loss }) => bar.advance(1, `loss ${loss.toFixed(4)}`),
  });
  const weights = await trainable.snapshot();
  trainable.dispose();
  await saveModel(folder, { spec, weights }, { config: own, dtype: "F32",
    filesFrom: packageFile("data/models/nano-switch"),
    provenance: { trainedBy: `data/studies/${study}`, kind, seed, recipe: { ...options, mixture },
      seconds: Math.round(result.timeMs / 1000) }, overwrite: true });
}

/** Sparse upcycling: every expert is a copy of the dense model's block of that layer; routers are new. */
async function upcycle(spec: ModelSpec, seed: number): Promise<WeightSource> {
  const { model } = await openModel(await pretrained("dense", seed));
  try {
    return await upcycledWeights(spec, model.weights, new Rng(`${study} upcycled weights ${seed}`));
  } finally {
    await model.dispose();
  }
}
