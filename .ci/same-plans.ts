// Compares what methods make of the models of a folder with what lies beside them: see held-out-methods.py.
// usage: node --import tsx .ci/same-plans.ts FOLDER
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import type { Batch } from "../sdk/model/batch.js";
import type { Model } from "../sdk/model/model.js";
import { from, load } from "../sdk/pipeline.js";
import { ready } from "../sdk/tensor/index.js";
import { close } from "../test/support/close.js";

interface Record {
  batch: Batch;
  logits: number[];
  methods: { options: { method: string }; logits: number[] }[];
}

const test = suite("methods at other shapes");
await ready();
const [folder] = process.argv.slice(2);
for (const name of readdirSync(folder).sort()) {
  const { batch, logits, methods } = JSON.parse(readFileSync(join(folder, name, "methods.json"), "utf8")) as Record;
  const profiled = await load(join(folder, name)).profile({ data: [{ ...batch, labels: batch.decoderIds }] as never });
  const same = async (model: Model, expected: number[]) => {
    const run = await model.forward(batch);
    const [, T, V] = run.logits.shape;
    const real = (_: number, at: number) =>
      batch.decoderIds !== undefined || !batch.mask || batch.mask[Math.floor(at / T / V)][Math.floor(at / V) % T] === 1;
    // float32 through some layers, of logits up to 30
    close(Array.from(await run.logits.data()).filter(real), expected.filter(real), 3e-5, "logits");
    run.dispose();
  };
  test(`${name}: the model`, () => same(profiled.model, logits));
  for (const { options, logits } of methods) {
    test(`${name}: ${JSON.stringify(options)}`, async () =>
      same((await from(await from(profiled).plan(options)).apply()).model, logits));
  }
}
test.run();
