import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { load } from "../../sdk/pipeline.js";
import { decode } from "../../sdk/tensor/formats/index.js";
import { ready } from "../../sdk/tensor/index.js";
import { fixture } from "../support/shared.js";

const test = suite("checkpoint-source");
await ready();

for (const name of readdirSync(fixture("models"))) {
  test(`${name}: bytes of a weight, whole and by rows, are its values`, async () => {
    const { model: { weights } } = await openModel(fixture(`models/${name}`));
    let given = 0;
    for (const weight of weights.names()) {
      const bytes = await weights.bytes!(weight);
      if (!bytes) continue;
      given++;
      const { dtype, shape } = weights.info(weight);
      const values = await weights.values(weight);
      assert.equal(decode(bytes, dtype), values, weight);
      if (shape.length < 2) continue;
      const width = values.length / shape[0];
      assert.equal(decode((await weights.bytes!(weight, { start: 1, end: shape[0] }))!, dtype), values.slice(width),
        `${weight}, rows from 1`);
    }
    assert.ok(given > 0, "norms at least");
    await weights.close();
  });
}

test("a merged expert is rounded once: its bytes are its values", async () => {
  const ids = [[5, 9, 2, 31, 7, 64, 12, 3]];
  const { model: { weights } } = await load(fixture("models/olmoe_bf16")).profile({ data: [{ ids, labels: ids }] })
    .merge({ method: "m-smoe", keep: 0.5 });
  let made = 0;
  for (const name of weights.names()) {
    const bytes = await weights.bytes!(name);
    if (!bytes) continue;
    if (name.includes(".experts.")) made++;
    assert.equal(decode(bytes, weights.info(name).dtype), await weights.values(name), name);
  }
  assert.ok(made > 0);
  await weights.close();
});

test.run();
