import { test } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../../sdk/pipeline.js";
import { tf } from "../../sdk/tensor/index.js";
import { watchMemory } from "../../sdk/tensor/peak-memory.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { fixture } from "../support/shared.js";

test("a back end that does not count says so", async () => {
  await useBackend("cpu");
  assert.is(watchMemory()(), undefined);
});

if (testedBackends.includes("torch")) {
  test("watches see the highest of their own time, also where they overlap", async () => {
    await useBackend("torch");
    const MB = 1 << 20;
    const fill = (megabytes: number) => tf.fill([megabytes * (MB / 4)], 1).dispose();
    fill(64);
    const outer = watchMemory();
    fill(16);
    const inner = watchMemory();
    fill(4);
    const low = inner()!;
    fill(32);
    const high = outer()!;
    const inUse = watchMemory()()!;
    const near = (bytes: number, megabytes: number) =>
      assert.ok(Math.abs(bytes - inUse - megabytes * MB) < MB / 2, `${(bytes - inUse) / MB} MB, expected ${megabytes}`);
    near(low, 4);
    near(high, 32);
  });

  test("every stage of a chain says what it took, at least the weights that it used", async () => {
    await useBackend("torch");
    const words = [[3, 4, 5], [6, 7, 8]];
    const data = [{ ids: words, decoderIds: words, labels: words }];
    const study = await load(fixture("models/switch_transformers")).profile({ data }).merge({ method: "m-smoe",
      keep: 0.5 }).distill({ data, steps: 1, batch: 1, items: 1 }).evaluate({ data });
    const expertBytes = 4
      * [...study.original.weights.names()].filter((name) => name.includes("experts.0.")).reduce(
        (sum, name) => sum + study.original.weights.info(name).shape.reduce((a, b) => a * b, 1),
        0,
      );
    for (const { stage, peakBytes } of study.steps.filter(({ stage }) =>
      ["profile", "distill", "evaluate"].includes(stage)
    )) assert.ok(peakBytes! > expertBytes, `${stage}: ${peakBytes} bytes`);
    for (const model of new Set([study.model, study.original])) await model.dispose();
  });
}

test.run();
