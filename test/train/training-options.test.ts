import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { initialize } from "../../sdk/model/initialize.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { moe } from "../../sdk/moe.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { collapsedLayers } from "../../sdk/train/collapse.js";
import { risingK } from "../../sdk/train/rules/rising-k.js";
import { schedule } from "../../sdk/train/schedule.js";
import { train, type TrainOptions } from "../../sdk/train/train.js";
import { nanoMoe } from "../support/nano-moe.js";
import { rejects } from "../support/rejects.js";

const test = suite("options of training");
test.before(async () => void (await ready()));

const { spec } = nanoMoe({ experts: 4, topK: 2, layers: 2 });
const fresh = () => Trainable.from(spec, initialize(spec, new Rng(1)));
const batch = (step: number) => {
  const rng = new Rng(`batch ${step}`);
  const rows = Array.from({ length: 4 }, () => Array.from({ length: 6 }, () => rng.int(11)));
  return { ids: rows, labels: rows.map((row, b) => row.map((id, t) => (t < 3 + b ? (id + 1) % 11 : -1))) };
};
const base: TrainOptions = { steps: 6, lr: 0.01, batch, clip: 1 };
const run = async (options: Partial<TrainOptions>) => {
  const model = await fresh();
  try {
    return await train(model, { ...base, ...options });
  } finally {
    model.dispose();
  }
};

test("a batch in parts gives the losses of the whole", async () => {
  const [whole, parts] = [await run({}), await run({ accumulate: 3 })];
  whole.losses.forEach((loss, i) => assert.ok(Math.abs(loss - parts.losses[i]) < 2e-5, `${loss}, ${parts.losses[i]}`));
  const [one, two] = [await run({ weighting: "example" }), await run({ weighting: "example", accumulate: 2 })];
  one.losses.forEach((loss, i) => assert.ok(Math.abs(loss - two.losses[i]) < 2e-5));
});

test("schedules rise, stay and fall", () => {
  const wsd = schedule("wsd", 100, 10), steps = schedule("steps", 100, 10);
  assert.equal([5, 50, 80, 90, 100].map((step) => Number(wsd(step).toFixed(6))), [0.5, 1, 1, 0.5, 0]);
  assert.equal([5, 79, 80, 90].map((step) => Number(steps(step).toFixed(6))), [0.5, 1, 0.316, 0.099856]);
});

test("checks are kept; training ends when they no longer fall, and goes on as it was when it is cut off", async () => {
  const seen = [3, 2, 2.5, 2.6, 1];
  const check = () => {
    let at = 0;
    return { every: 1, patience: 2, loss: async () => seen[at++] };
  };
  const { steps, checks } = await run({ check: check() });
  assert.equal([steps, checks.map(({ loss }) => loss)], [4, [3, 2, 2.5, 2.6]]);

  const folder = join(await mkdtemp(join(tmpdir(), "moelab-check-")), "state");
  const measured = { every: 2, loss: async (model: Trainable) => model.variables()[0].variable.dataSync()[0] };
  const rules = [risingK({ from: 1, to: 2 })];
  const how: Partial<TrainOptions> = { check: measured, rules,
    losses: [{ kind: "entropy", weight: { from: 1, to: 0 } }] };
  const whole = await run(how);
  const stop = new AbortController();
  const state = { folder, every: 1, key: "test" };
  await rejects(run({ ...how, state, signal: stop.signal, onStep: ({ step }) => void (step === 3 && stop.abort()) }));
  const resumed = await run({ ...how, state });
  assert.equal([resumed.losses, resumed.checks], [whole.losses, whole.checks]);
  await rm(folder, { recursive: true });
});

test("a loss that is no number stops before it is learned from, and says where", async () => {
  const model = await fresh();
  const find = (name: string) => model.variables().find((one) => one.name === name)!.variable;
  const folder = join(await mkdtemp(join(tmpdir(), "moelab-nan-")), "state");
  const error = await rejects(train(model, { ...base, state: { folder, every: 100, key: "" }, onStep: ({ step }) => {
    if (step === 2) tf.tidy(() => find("layers.1.bank.0.up").assign(tf.fill(find("layers.1.bank.0.up").shape, NaN)));
  } }));
  assert.is(error.code, "diverged");
  assert.match(error.message, /at step 3; layers\.1 is the first layer/);
  assert.match(error.message, /gradients are none/);
  assert.match(error.message, /The weights are those of step 2, kept in/);
  assert.ok([...find("layers.0.router").dataSync()].every(Number.isFinite));
  model.dispose();
  await rm(folder, { recursive: true });
});

test("a router that sends all tokens to the same experts is named; one that may not choose is not", () => {
  const [first, second] = moeLayers(spec).map(({ id }) => id);
  const load = { [first]: { counts: [50, 50, 0, 0], tokens: 50 }, [second]: { counts: [30, 30, 20, 20], tokens: 50 } };
  assert.equal(collapsedLayers(load, spec), [first]);
  const hashed = structuredClone(spec);
  for (const { ffn } of moeLayers(hashed)) ffn.router.score = { kind: "hash" };
  assert.equal(collapsedLayers(load, hashed), []);
});

test("a collapsed router is a warning of the study, a corpus that fills no step an error", async () => {
  const config = { model_type: "llama", hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1,
    num_attention_heads: 1, num_key_value_heads: 1, max_position_embeddings: 16, rms_norm_eps: 1e-5, vocab_size: 12,
    tie_word_embeddings: true };
  const begin = moe.create({ ...config, experts: [{ count: 4 }], router: { bias: true } } as never);
  // the same token everywhere goes the same way everywhere
  const data = [{ ids: [[1, 1, 1, 1]], labels: [[1, 1, 1, 1]] }];
  const study = await begin.train({ data, steps: 2, batch: 1 });
  assert.equal(study.steps.at(-1)!.training!.collapsed, ["layers.0"]);
  assert.match(study.warnings.join(), /router of layers\.0 has collapsed/);
  const small = moe.create({ ...config, vocab_size: undefined }, { tokenizer: "nano-decoder" });
  const error = await rejects(
    Promise.resolve(small.train({ corpus: "moby-dick", items: 8, steps: 2, window: 16, batch: 16 })),
  );
  assert.match(error.message, /gives 8 windows and a step takes 16/);
});

test.run();
