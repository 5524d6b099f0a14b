import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { create, from, load } from "../../sdk/pipeline.js";
import { rejects } from "../support/rejects.js";

const test = suite("creating and training a model");
const config = {
  model_type: "mixtral",
  vocab_size: 16,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 1e4,
  tie_word_embeddings: false,
};
/** counting up: the next token is the one after */
const data = [0, 1].map((k) => {
  const ids = Array.from({ length: 8 }, (_, row) => Array.from({ length: 6 }, (_, t) => (row * 2 + k + t) % 16));
  return { ids, labels: ids.map((row) => row.map((id) => (id + 1) % 16)) };
});

test("a new model learns, is the reference of later changes, and is saved", async () => {
  const fresh = await create(config, { seed: 3 });
  const trained = await from(fresh).train({ data, steps: 40, batch: 8, lr: 1e-2, items: 16, balance: 0.01 });
  assert.equal(trained.steps.map(({ stage }) => stage), ["create", "train"]);
  const nll = async (study: typeof trained) =>
    (await from(study).evaluate({ data })).evaluation!.after.scores[0].metrics.nll.value;
  assert.ok(await nll(trained) < 0.6 * await nll(fresh), "the loss falls");
  assert.is(trained.original, trained.model);
  const merged = await from(trained).profile({ data }).merge({ method: "m-smoe", keep: 2 }).evaluate({ data });
  assert.ok(merged.evaluation!.before !== undefined);
  const folder = join(await mkdtemp(join(tmpdir(), "moelab-")), "model");
  await from(merged).save(folder);
  assert.is((await load(folder)).model.spec.family, merged.model.spec.family);
  await rm(join(folder, ".."), { recursive: true });
});

test("the same seed gives the same model, another seed another", async () => {
  const print = async (seed: number) => (await create(config, { seed })).model.weights.fingerprint();
  assert.is(await print(1), await print(1));
  assert.is.not(await print(1), await print(2));
});

test("a spec will do: it is saved with it, and a folder of it opens with the same logits", async () => {
  const { spec } = (await create(config)).model;
  const study = await create(spec).train({ data, steps: 2, items: 8, batch: 4 });
  assert.equal(study.model.spec, spec);
  const merged = await from(study).profile({ data }).merge({ method: "m-smoe", keep: 2 });
  const folder = join(await mkdtemp(join(tmpdir(), "moelab-")), "model");
  await from(merged).save(folder);
  const again = await load(folder);
  assert.equal(again.model.spec, merged.model.spec);
  const batch = { ids: data[0].ids };
  const logits = async (model: typeof again.model) => {
    const run = await model.forward(batch);
    const values = Array.from(await run.logits.data());
    run.dispose();
    return values;
  };
  assert.equal(await logits(again.model), await logits(merged.model));
  await from(await from(again).profile({ data }).prune({ method: "frequency", keep: 1 })).save(`${folder}-2`);
  assert.is((await load(`${folder}-2`)).model.spec.decoder.layers.length, 2);
  const no = await rejects(from(again).save(`${folder}-3`, { layout: "expanded" }));
  assert.is(no.code, "not-exportable");
  await rm(join(folder, ".."), { recursive: true });
});

test("a new model begins near a uniform guess, with its head tied as well; a gain gives other weights", async () => {
  for (const tie_word_embeddings of [true, false]) {
    const fresh = await create({ ...config, tie_word_embeddings });
    const { nll } = (await from(fresh).evaluate({ data })).evaluation!.after.scores[0].metrics;
    assert.ok(Math.abs(nll.value - Math.log(16)) < 0.1, `${nll.value} nats, uniform are ${Math.log(16)}`);
    const gained = await create({ ...config, tie_word_embeddings }, { gain: 1 });
    assert.is.not(await fresh.model.weights.fingerprint(), await gained.model.weights.fingerprint());
  }
});

test("what is no architecture is refused before anything is made", async () => {
  const { spec } = (await create(config)).model;
  assert.is((await rejects(Promise.resolve(create(spec).train({ steps: 2 })))).code, "no-data");
  assert.is((await rejects(Promise.resolve(create({} as never)))).code, "bad-architecture");
  const wrong = await rejects(Promise.resolve(create({ ...spec, width: -1 })));
  assert.is(wrong.code, "bad-architecture");
  assert.match(wrong.message, /width is -1; accepted is at least 1/);
});

test.run();
