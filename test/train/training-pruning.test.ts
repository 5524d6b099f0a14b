import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lowRankSparse } from "../../sdk/compress/low-rank-sparse.js";
import { RowPruning } from "../../sdk/compress/row-pruning.js";
import { planWith } from "../../sdk/methods.js";
import { initialize } from "../../sdk/model/initialize.js";
import { type SpecAndWeights } from "../../sdk/model/spec-and-weights.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { Trainable } from "../../sdk/model/trainable.js";
import type { WeightSource } from "../../sdk/model/weight-source.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { EagerPruner } from "../../sdk/prune/eager-pruner.js";
import { EagerPruning } from "../../sdk/prune/eager-pruning.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { train } from "../../sdk/train/train.js";
import type { TrainingPruning } from "../../sdk/train/training-pruning.js";
import { close } from "../support/close.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("pruning while training");
await ready();

const { spec } = nanoMoe({ layers: 2, experts: 4 });
const weights = initialize(spec, new Rng("pruning"));
const batch = (step: number) => {
  const rng = new Rng(`batch ${step}`);
  const rows = Array.from({ length: 4 }, () => Array.from({ length: 7 }, () => rng.int(11)));
  return { ids: rows.map((row) => row.slice(0, -1)), labels: rows.map((row) => row.slice(1)) };
};
const STEPS = 12;

/** one run, or one that is stopped after `stopAt` and goes on */
async function run(
  model: SpecAndWeights,
  pruningFor: (trainable: Trainable) => TrainingPruning & { dispose?(): void },
  stopAt?: number,
): Promise<{ weights: WeightSource; masks: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), "moelab-"));
  try {
    for (const stop of stopAt ? [stopAt, undefined] : [undefined]) {
      const trainable = await Trainable.from(structuredClone(model.spec), model.weights);
      const pruning = pruningFor(trainable);
      const control = new AbortController();
      try {
        await train(trainable, { steps: STEPS, lr: 1e-2, batch, pruning, signal: control.signal,
          ...(stopAt && { state: { folder: join(folder, "state"), every: 3, key: "rows" } }), onStep: ({ step }) => {
            if (step === stop) control.abort();
          } });
        return { weights: await trainable.snapshot(), masks: moeLayers(trainable.spec).map(({ ffn }) =>
          ffn.router.masked
        ) };
      } catch (error) {
        if ((error as { code?: string }).code !== "aborted") throw error;
      } finally {
        pruning.dispose?.();
        trainable.dispose();
      }
    }
    throw new Error("the run did not finish");
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function same(a: WeightSource, b: WeightSource): Promise<void> {
  for (const name of a.names()) close(await b.values(name), await a.values(name), 0, name);
}

test("rows: an interrupted run is the same as a whole one, importance included", () =>
  noLeaks(async () => {
    const planned = await applyPlan({ spec, weights }, {
      ...(await planWith(lowRankSparse, await nanoProfile(nanoMoe({ layers: 2 })), { rank: 2, keep: 1 })),
      for: await weights.fingerprint(),
    });
    const rows = () => new RowPruning({ steps: STEPS, keep: 0.3, start: 1, settle: 2 });
    const whole = await run(planned, rows);
    await same(whole.weights, (await run(planned, rows, 7)).weights);
    const zero = (await whole.weights.values("layers.0.experts.0.up.s")).filter((value) => value === 0).length;
    assert.ok(zero > 0, "rows went");
  }));

test("experts: an interrupted run is the same as a whole one, and masks follow the usage", () =>
  noLeaks(async () => {
    const experts = (trainable: Trainable) =>
      new EagerPruning(trainable.spec, { steps: STEPS, keep: 2, events: 3, every: 1 });
    const whole = await run({ spec, weights }, experts);
    const resumed = await run({ spec, weights }, experts, 4);
    await same(whole.weights, resumed.weights);
    assert.equal(resumed.masks, whole.masks);
    for (const masked of whole.masks as number[][]) assert.is(masked.length, 2);
  }));

test("what a pruner remembers survives being written as float32", () => {
  const options = { steps: 40, keep: 1, events: 5, every: 1 };
  const [one, two] = [new EagerPruner(options), new EagerPruner(options)];
  const rng = new Rng(1);
  for (let step = 1; step <= 40; step++) {
    const counts = { l: [0, 1, 2, 3, 4].map(() => rng.int(30)) };
    const expected = one.step(step, counts);
    assert.equal(two.step(step, counts), expected, `step ${step}`);
    const kept = new EagerPruner(options);
    kept.restore("l", two.state("l"));
    two.restore("l", kept.state("l"));
  }
});

test.run();
