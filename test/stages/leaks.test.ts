import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../../sdk/pipeline.js";
import type { Study } from "../../sdk/stages/study.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { fixture } from "../support/shared.js";

const test = suite("leaks of stages");
await ready();

const data = [0, 1].map((k) => {
  const words = [0, 1, 2, 3].map(
    (row) => [3 + ((row * 7 + k) % 60), 3 + ((row * 11 + k * 5) % 60), 3 + ((row * 13 + 2 * k) % 60)]
  );
  return { ids: words, decoderIds: words.map(([a, b]) => [0, a, b]), labels: words };
});
const load0 = () => load(fixture("models/switch_transformers"));
const chains: Record<string, () => PromiseLike<Study>> = {
  load: () => load0(),
  profile: () => load0().profile({ data, statistics: ["usage", "routerLogits", "meanOutput", "saliency", "fisher"] }),
  merge: () => load0().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }),
  prune: () => load0().profile({ data }).prune({ method: "frequency", keep: 2 }),
  compress: () => load0().profile({ data }).compress({ method: "low-rank-sparse", rank: 2, keep: 0.25, exclude: [] }),
  evaluate: () => load0().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }).evaluate({ data }),
  distill: () =>
    load0().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }).distill({ data, steps: 2, batch: 2, items: 4 }),
  "the whole chain": () =>
    load0().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }).compress({ method: "low-rank-sparse", rank: 2,
      keep: 0.25, exclude: [] }).distill({ data, steps: 2, batch: 2, items: 4 }).evaluate({ data }),
};

/** Runs a chain and gives up its models. */
async function run(name: string): Promise<void> {
  const study = await chains[name]();
  for (const model of new Set([study.model, study.original])) await model.dispose();
}

for (const name of Object.keys(chains)) {
  test(`${name}: no tensor is left when its models are disposed`, async () => {
    const before = tf.memory().numTensors;
    await run(name);
    assert.is(tf.memory().numTensors, before);
  });
}

test("the whole chain twenty times in one process stays within 5 % of the memory after the first five", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = () => {
    collect();
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
    return { live: heapUsed + arrayBuffers, rss, tensors: tf.memory().numTensors, tensorBytes: tf.memory().numBytes };
  };
  let early = used();
  for (let round = 1; round <= 20; round++) {
    await run("the whole chain");
    // a system that takes unused pages back makes the resident memory of one moment too small: the most of five counts
    if (round <= 5) early = { ...used(), rss: Math.max(early.rss, used().rss) };
  }
  const late = used();
  assert.is(late.tensors, early.tensors);
  assert.is(late.tensorBytes, early.tensorBytes);
  for (const kind of ["live", "rss"] as const)
    assert.ok(late[kind] <= 1.05 * early[kind],
      `${kind}: ${(early[kind] / 2 ** 20).toFixed(1)} MiB after 5 rounds, `
        + `${(late[kind] / 2 ** 20).toFixed(1)} after 20`);
});

test.run();
