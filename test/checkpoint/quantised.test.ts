import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { packedStore } from "../../sdk/checkpoint/packed-store.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { reference, tensorClose } from "../support/reference.js";
import { fixture } from "../support/shared.js";

const test = suite("quantised");

/** Made by compressed-tensors, GPTQModel, AutoAWQ, bitsandbytes and HQQ; values of numpy code from the stored bytes. */
const names = readdirSync(fixture("quantised"));
assert.is(names.length, 16);

for (const name of names) {
  const folder = fixture(`quantised/${name}`);

  test(`${name}: restored weights are the package's`, async () => {
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    const { store } = await packedStore(await openTensors(folder), config.quantization_config);
    const { sum_and_sum_of_squares: sums } = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
    const expected = await reference(folder);
    let compared = 0;
    for (const [weight, [sum, squares]] of Object.entries(sums as Record<string, [number, number]>)) {
      const values = await store.values(weight);
      // float64 sums of at most 6144 numbers, in another order
      assert.ok(Math.abs(values.reduce((all, value) => all + value, 0) - sum) < 1e-4, `${weight} sum`);
      assert.ok(Math.abs(values.reduce((all, value) => all + value * value, 0) - squares) < 1e-4, `${weight} squares`);
      const { shape, format, sizeBytes } = store.info(weight);
      assert.ok(format, weight);
      assert.ok(sizeBytes < 2 * shape.reduce((a, b) => a * b, 1), `${weight}: smaller than float16`);
      const rows = { start: 5, end: 13 };
      assert.equal(await store.values(weight, rows), values.slice(rows.start * shape[1], rows.end * shape[1]));
      compared++;
    }
    assert.is(compared, 26);
    for (const tensor of expected.names.filter((each) => each.startsWith("dequantized."))) {
      const weight = tensor.slice("dequantized.".length).replace(/\[.*$/, ""), whole = await expected.values(tensor);
      const values = (await store.values(weight)).subarray(0, whole.length);
      const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(value - whole[at])), 0);
      assert.ok(worst <= 1e-6, `${weight}: ${worst}`); // float64 products rounded once
    }
    await expected.close();
    await store.close();
  });

  test(`${name}: opens as any other, logits are those of the restored weights`, async () => {
    const expected = await reference(folder);
    const { model, notes } = await openModel(folder);
    for (const pass of ["batch", "single"]) {
      const ids = await expected.rows(`${pass}.input_ids`), mask = await expected.rows(`${pass}.attention_mask`);
      const { logits, dispose } = await model.forward({ ids, mask });
      // noise of float32 at most 4e-5, as the fixtures say
      await tensorClose(logits, await expected.values(`${pass}.logits`), `${name} ${pass}`, { absolute: 3e-4,
        real: mask.flat() });
      dispose();
    }
    assert.equal(notes, []);
    await expected.close();
    await model.dispose();
  });
}

test.run();
