import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { Activations } from "../../sdk/model/activations.js";
import { MemoryBudget } from "../../sdk/model/memory-budget.js";
import { Model } from "../../sdk/model/model.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { nanoMoe } from "../support/nano-moe.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("sweep under a budget");
await ready();

const batch = (model: Model, shift = 0) => {
  const ids = [[5, 9, 2, 31, 7], [64, 12, 3, 8, 0]].map((row) => row.map((id) => (id + shift) % model.spec.vocab));
  return { ids, mask: [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]],
    ...(model.spec.encoder ? { decoderIds: [[0, 4, 8], [0, 5, 1]] } : {}) };
};

/** everything that a sweep over three batches shows */
async function seen(model: Model): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Promise<Float32Array>>();
  const keep = (name: string, tensor: tf.Tensor) =>
    values.set(name, tensor.data().then((data) => Float32Array.from(data)));
  await model.sweep([batch(model), batch(model, 1), batch(model, 2)], {
    sites: ["stream", "norm", "moe", "heads", "input", "logits"],
    onSite: (seen, { batch, stack }) => {
      const at = "at" in seen ? seen.at : "weight" in seen ? seen.weight : "";
      for (const [name, tensor] of Object.entries(seen)) {
        if (tensor instanceof tf.Tensor)
          keep(`${seen.site} ${at} ${"layer" in seen ? seen.layer : stack} ${name} ${batch}`, tensor);
      }
    },
  });
  return new Map(await Promise.all([...values].map(async ([name, data]) => [name, await data] as const)));
}

for (const name of ["olmoe_bf16", "switch_transformers", "gpt_oss", "llama4_text", "deepseek_v3", "phimoe", "jamba",
  "nllb_moe", "nemotron_h"]) {
  test(`${name}: experts in groups and activations in a file give what the whole gives`, () =>
    noLeaks(async () => {
      const opened = await openModel(fixture(`models/${name}`));
      const { spec, weights } = opened.model;
      const whole = await seen(new Model("whole", spec, weights, { keep: false }));
      const tight = await seen(new Model("tight", spec, weights, { memory: 1000 }));
      assert.equal([...tight.keys()].sort(), [...whole.keys()].sort());
      // an expert's products are the same, the sum over a token's experts runs in another order
      for (const [key, values] of whole) close(tight.get(key)!, values, 1e-4, key);
      await opened.model.dispose();
    }));
}

test("one expert is there at a time, every weight is read once, and generation is the same", () =>
  noLeaks(async () => {
    const { spec, weights } = nanoMoe({ layers: 3, experts: 6, topK: 2 });
    const whole = new Model("whole", spec, weights);
    const expected = await whole.generate({ ids: [[1, 2, 3]] }, { maxTokens: 5, stop: [] });
    await whole.dispose();
    weights.reads.clear();
    const model = new Model("tight", spec, weights, { memory: 0 });
    let most = 0;
    const values = weights.values.bind(weights);
    const base = tf.memory().numTensors;
    weights.values = async (name) => {
      most = Math.max(most, tf.memory().numTensors - base);
      return values(name);
    };
    await model.sweep([{ ids: [[1, 2, 3]] }, { ids: [[4, 5, 6]] }], {});
    for (const [name, reads] of weights.reads) assert.is(reads, 1, name);
    // the layer's attention, norms and router, two groups of one expert, and the biases of two batches
    assert.ok(most <= 20, `${most} tensors`);
    assert.equal(await model.generate({ ids: [[1, 2, 3]] }, { maxTokens: 5, stop: [] }), expected);
    await model.dispose();
  }));

test("models that share a budget make room for one another", async () => {
  const [a, b] = [nanoMoe({ layers: 1 }), nanoMoe({ layers: 1, seed: 2 })];
  const first = new Model("a", a.spec, a.weights, { memory: 1e6 });
  const second = new Model("b", b.spec, b.weights, first);
  const run = (model: Model) => model.sweep([{ ids: [[1, 2]] }], {});
  const reads = ({ weights }: typeof a) => weights.reads.get("layers.0.experts.0.up");
  for (const model of [first, second, first, second]) await run(model);
  assert.equal([reads(a), reads(b)], [1, 1]);
  first.memory.bytes = 0;
  for (const model of [first, second]) await run(model);
  assert.equal([reads(a), reads(b)], [2, 2]);
  await first.dispose();
  await second.dispose();
});

test("activations beyond their share go to a file that leaves no name, and come back bit by bit", () =>
  noLeaks(async () => {
    const files = () => readdirSync(tmpdir()).filter((name) => name.startsWith("moelab-activations-"));
    const before = files();
    const live = tf.memory().numTensors;
    const activations = new Activations(new MemoryBudget(4 * 24));
    const tensors = [tf.tensor1d([1.5, -2, NaN, Infinity]), tf.tensor2d([[1], [2], [3]], [3, 1], "int32"),
      tf.tensor1d([0.1, 0.2])];
    const expected = await Promise.all(
      tensors.map(async (tensor) => [tensor.dtype, tensor.shape, Array.from(await tensor.data())]),
    );
    const held = [];
    for (const tensor of tensors) held.push(await activations.hold(tensor));
    assert.is(tf.memory().numTensors, live + 2, "24 bytes of activations stay: the first and the last tensor");
    assert.equal(files(), before);
    for (const [at, one] of held.entries()) {
      for (const tensor of [await one.read(), await one.take()]) {
        assert.equal([tensor.dtype, tensor.shape, Array.from(await tensor.data())], expected[at]);
        tensor.dispose();
      }
    }
    await activations.close();
    assert.equal(files(), before);
  }));

test("an error or a stop on the way frees everything", () =>
  noLeaks(async () => {
    for (const memory of [0, Infinity]) {
      const { spec, weights } = nanoMoe({ layers: 3 });
      const model = new Model("nano", spec, weights, { memory });
      const stop = new AbortController();
      const batches = [{ ids: [[1, 2, 3]] }, { ids: [[4, 5, 6]] }];
      assert.is(
        (await rejects(model.sweep(batches, { signal: stop.signal, sites: ["moe"], onSite: () => stop.abort() }))).code,
        "aborted",
      );
      await model.sweep(batches, { sites: ["moe"], onSite: () => {
        throw new Error("broken");
      } }).then(() => assert.unreachable(), (error) => assert.is(error.message, "broken"));
      const values = weights.values.bind(weights);
      weights.values = async (name) => {
        if (name.includes("layers.2.experts.3")) throw new Error("unreadable");
        return values(name);
      };
      await model.sweep(batches, {}).then(() => assert.unreachable(),
        (error) => assert.is(error.message, "unreadable"));
      await model.dispose();
    }
  }));

test.run();
