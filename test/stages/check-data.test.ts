import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const model = moe.load(fixture("models/mixtral"));
const switchModel = moe.load(fixture("models/switch_transformers"));
const ids = [[5, 9, 2, 4], [1, 7, 3, 8]], mask = [[1, 1, 1, 1], [1, 1, 1, 0]];
const labels = [[9, 2, 4, -1], [7, 3, -1, -100]];
const good = { ids, mask, labels };

const WRONG: [options: object, said: RegExp][] = [[{ data: [] }, /data holds no batch/], [{
  data: [good, { ...good, labels: [[9, 2], [7, 3]] }],
}, /batch 1 has 2 labels and 4 ids in row 0/], [{ data: [{ ...good, labels: [[9, 2, 4, 1]] }] },
  /batch 0 has 1 rows of labels and 2 of ids/], [{ data: [{ ...good, labels: [[9, 2.5, 4, -1], labels[1]] }] },
  /labels\[0\]\[1\] = 2\.5; accepted is a whole number/], [{ data: [{ ...good, labels: [[9, 2, 4, 999], labels[1]] }] },
  /labels\[0\]\[3\] = 999; accepted is .* from 0 to 95/], [{ data: [{ ...good, labels: [[9, NaN, 4, 1], labels[1]] }] },
  /labels\[0\]\[1\] = NaN/], [{ data: [{ ...good, ids: [[5, 9.5, 2, 4], ids[1]] }] }, /ids\[0\]\[1\] = 9\.5/], [{
  data: [{ ...good, mask: [[1, 0.5, 1, 1], mask[1]] }],
}, /mask\[0\]\[1\] = 0\.5/], [{ data: [{ ...good, mask: [[1, 1], mask[1]] }] }, /2 mask and 4 ids in row 0/], [{
  data: [{ ...good, ids: "hello" }],
}, /ids that are "hello"; accepted is a list of rows/], [{ data: [{ ...good, ids: [] }] }, /ids that are \[\]/], [{
  data: [good],
  items: -3,
}, /items is -3/], [{ data: [good], items: 2.5 }, /items is 2\.5/], [{ data: [good], window: -5 },
  /window is -5; accepted is a whole number from 1/], [{ window: 0 }, /window is 0/], [{ data: [good], seed: 0.5 },
  /seed is 0\.5/]];

for (const [options, said] of WRONG) {
  test(`${JSON.stringify(options).slice(0, 90)} is refused by every stage that takes data`, async () => {
    for (const [verb, run] of Object.entries({ profile: () => model.profile(options), evaluate: () =>
      model.evaluate(options), train: () => model.train({ ...options, steps: 1 }) })) {
      const error = await rejects(run() as unknown as Promise<unknown>);
      assert.match(error.message, said);
      assert.match(error.message, new RegExp(`^${verb}: `));
    }
  });
}

test("tokens of a profile", async () => {
  assert.match((await rejects(model.profile({ data: [good], tokens: -1 }) as unknown as Promise<unknown>)).message,
    /tokens is -1/);
});

test("labels of an encoder-decoder stand beside what its decoder sees", async () => {
  const batch = { ids, decoderIds: [[0, 5, 6], [0, 7, 8]], labels: [[5, 6, 1], [7, 8, 1]] };
  await switchModel.profile({ data: [batch] });
  const error = await rejects(switchModel.profile({ data: [{ ...batch, labels }] }) as unknown as Promise<unknown>);
  assert.match(error.message, /4 labels and 3 decoderIds in row 0/);
});

test("without labels a model is profiled, and neither trained nor evaluated", async () => {
  const batch = { ids, mask } as typeof good;
  await model.profile({ data: [batch] });
  assert.match((await rejects(model.evaluate({ data: [batch] }) as unknown as Promise<unknown>)).message,
    /labels that are not there/);
});

test.run();
