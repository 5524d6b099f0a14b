import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { Model } from "../../sdk/model/model.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { train, type TrainOptions } from "../../sdk/train/train.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";
import { noLeaks } from "../support/tensors.js";

const check = (name: string, run: () => Promise<void>) => test(name, () => noLeaks(run));

test.before(async () => void (await ready()));

/** Copying three random tokens: something a tiny model can begin to learn. */
function copyTask(step: number) {
  const rng = new Rng(`copy ${step}`);
  const words = Array.from({ length: 8 }, () => Array.from({ length: 3 }, () => 3 + rng.int(5)));
  return { ids: words, decoderIds: words.map((word) => [0, word[0], word[1]]), labels: words };
}
const base: TrainOptions = { steps: 6, lr: 3e-3, warmup: 2, batch: copyTask, balance: 0.01, zLoss: 0.001, clip: 1 };

async function fresh() {
  const { model } = await openModel(fixture("models/switch_transformers"));
  const trainable = await Trainable.from(model.spec, model.weights);
  await model.dispose();
  return { trainable, spec: model.spec, source: model.weights };
}

check("a decoder-only and an encoder-decoder model learn", async () => {
  const { trainable } = await fresh();
  const { losses } = await train(trainable, { ...base, steps: 30 });
  assert.ok(losses[29] < losses[0] * 0.75, `loss fell from ${losses[0]} to ${losses[29]} only`);
  trainable.dispose();

  const { model } = await openModel(fixture("models/mixtral"));
  const decoder = await Trainable.from(model.spec, model.weights);
  await model.dispose();
  const repeat = () => ({ ids: [[5, 6, 7, 5, 6, 7, 5]], labels: [[6, 7, 5, 6, 7, 5, 6]] });
  const run = await train(decoder, { steps: 15, lr: 3e-3, batch: repeat });
  assert.ok(run.losses[14] < run.losses[0] * 0.75, `loss fell from ${run.losses[0]} to ${run.losses[14]} only`);
  decoder.dispose();
});

check("the distance to the teacher leaves padding out, and counts it if asked, as the code of arXiv:2310.01334 does",
  async () => {
    const padded = (step: number) => {
      const task = copyTask(step);
      return { ...task, labels: task.labels.map((row) => [row[0], row[1], -1]) };
    };
    /** the first loss with a teacher whose logits at the padding are so many times as large */
    const lossWith = async (countPadding: boolean | undefined, times: number) => {
      const { trainable, spec } = await fresh();
      const teacher = async () =>
        tf.tidy(() =>
          tf.tensor2d(
            Array.from({ length: 24 }, (_, row) =>
              Array.from({ length: spec.vocab }, (_, v) => Math.sin(row + v) * (row % 3 === 2 ? times : 1))),
          )
        );
      const { losses } = await train(trainable, { ...base, steps: 1, batch: padded,
        distill: { alpha: 0.2, temperature: 2, teacher, ...(countPadding !== undefined && { countPadding }) } });
      trainable.dispose();
      return losses[0];
    };
    assert.is(await lossWith(undefined, 1), await lossWith(undefined, 5));
    assert.is(await lossWith(undefined, 1), await lossWith(false, 1));
    const [near, far] = [await lossWith(true, 1), await lossWith(true, 5)];
    assert.ok(near > (await lossWith(false, 1)) && far > near, `${near}, ${far}`);
  });

check("an interrupted run goes on as if it had not been interrupted", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "moelab-")), "state");
  const whole = await fresh();
  const { losses } = await train(whole.trainable, base);
  whole.trainable.dispose();

  const first = await fresh();
  const stop = new AbortController();
  const state = { folder, every: 1, key: "copy" };
  await train(first.trainable, { ...base, state, signal: stop.signal, onStep: ({ step }) => {
    if (step === 3) stop.abort();
  } }).then(() => assert.unreachable("was not stopped"), (error) => assert.is(error.code, "aborted"));
  first.trainable.dispose();
  const second = await fresh();
  assert.equal((await train(second.trainable, { ...base, state })).losses, losses);
  second.trainable.dispose();
  await rm(folder, { recursive: true });
});

check("a state of other data, rate, steps or weights is refused; what else lies in the folder stays", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moelab-"));
  await writeFile(join(folder, "thesis.tex"), "mine");
  const run = async (more: Partial<TrainOptions> = {}, key: unknown = "copy", model?: Trainable) => {
    const trainable = model ?? (await fresh()).trainable;
    try {
      return await train(trainable, { ...base, steps: 2, state: { folder, every: 1, key }, ...more });
    } finally {
      trainable.dispose();
    }
  };
  const { losses } = await run();
  const refused = async (outcome: Promise<unknown>) => assert.is((await rejects(outcome)).code, "state-of-another-run");
  await refused(run({}, "other data"));
  await refused(run({ lr: 1 }));
  await refused(run({ steps: 3 }));
  await refused(run({ clip: undefined }));
  await refused(run({ frozen: (name) => name.endsWith(".router") }));
  const { trainable } = await fresh();
  const { variable } = trainable.variables()[0];
  const other = tf.add(variable, 1);
  variable.assign(other as never);
  other.dispose();
  await refused(run({}, "copy", trainable));
  assert.equal((await run()).losses, losses, "its own");
  assert.is(await readFile(join(folder, "thesis.tex"), "utf8"), "mine");
  await rm(folder, { recursive: true });
});

check("where no state can be written it says so before the first step", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moelab-"));
  await writeFile(join(folder, "file"), "");
  const { trainable } = await fresh();
  const onStep = () => assert.unreachable("a step was taken");
  const state = { folder: join(folder, "file/state"), every: 50, key: "" };
  const error = await rejects(train(trainable, { ...base, state, onStep }));
  assert.is(error.code, "cannot-write");
  trainable.dispose();
  await rm(folder, { recursive: true });
});

check("frozen variables stay, all others move", async () => {
  const { trainable, source } = await fresh();
  await train(trainable, { ...base, steps: 2, frozen: (name) => name.endsWith(".router") });
  const after = await trainable.snapshot();
  for (const name of after.names()) {
    const [was, is] = [await source.values(name), await after.values(name)];
    const same = was.every((value, i) => value === is[i]);
    // an expert that saw no token may stay
    if (!name.includes(".experts.")) assert.is(same, name.endsWith(".router"), name);
  }
  trainable.dispose();
});

check("a snapshot gives the logits of the trained model", async () => {
  const { trainable, spec } = await fresh();
  await train(trainable, { ...base, steps: 2 });
  const batch = { ids: [[4, 5, 6, 0]], mask: [[1, 1, 1, 0]], decoderIds: [[0, 4]] };
  const model = new Model("snapshot", spec, await trainable.snapshot());
  const forward = await model.forward(batch, { capacity: false });
  const direct = tf.tidy(() =>
    trainable.logits({ encoder: { B: 1, T: 4, ids: Int32Array.of(4, 5, 6, 0), real: Uint8Array.of(1, 1, 1, 0) },
      decoder: { B: 1, T: 2, ids: Int32Array.of(0, 4) } })
  );
  const [a, b] = [await forward.logits.data(), await direct.data()];
  a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) < 1e-5, `logit ${i}: ${value} and ${b[i]}`));
  forward.dispose();
  direct.dispose();
  await model.dispose();
  trainable.dispose();
});

test.run();
