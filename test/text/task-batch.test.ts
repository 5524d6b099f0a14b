import * as fc from "fast-check";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";
import { batches, encodeItems, promptText } from "../../sdk/text/task-batch.js";
import { listTasks, loadTask } from "../../sdk/text/tasks/load-task.js";
import { createTokenizer, loadTokenizer } from "../../sdk/text/tokenizer.js";

const folder = fileURLToPath(new URL("../../data/models/nano-switch/", import.meta.url));

test("ids of items equal ids of their text form, and decode to it", async () => {
  const tokenizer = await loadTokenizer(folder);
  for (const name of listTasks().filter((name) => name !== "spam")) {
    const task = await loadTask(name);
    const items = task.test.slice(0, 40);
    const { ids, answers } = encodeItems(task, items, tokenizer);
    items.forEach((item, i) => {
      assert.equal(ids[i], tokenizer.encode(promptText(task, item)), promptText(task, item));
      assert.is(tokenizer.decode(ids[i]), promptText(task, item));
      assert.equal(answers[i], [...tokenizer.encode(item.answer.join("")), 1]);
      assert.not.ok([...ids[i], ...answers[i]].includes(2), `${name} has unknown symbols`);
    });
  }
});

test("a tokenizer without the task's symbols is refused", async () => {
  const task = await loadTask("pron", { sizes: { train: 1, dev: 1, test: 1 } });
  const letters = createTokenizer({
    model: { type: "BPE", vocab: Object.fromEntries([..."<>abcdefghijklmnopqrstuvwxyz"].map((c, i) => [c, i])),
      merges: [] },
  });
  assert.throws(() => encodeItems(task, task.test, letters),
    (error: unknown) => error instanceof MoeError && error.code === "unknown-symbol");
});

const items = fc.array(
  fc.tuple(fc.array(fc.integer({ min: 3, max: 99 }), { minLength: 1, maxLength: 9 }),
    fc.array(fc.integer({ min: 3, max: 99 }), { maxLength: 6 })),
  { minLength: 1, maxLength: 40 },
).map((rows) => ({ ids: rows.map(([ids]) => ids), answers: rows.map(([, answer]) => [...answer, 1]) }));

test("batches hold every item once, padded on the right, the decoder one step behind its labels", () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 1e6 }),
      (all, size, bucket, seed) => {
        const seen: number[] = [];
        for (const { ids, mask, decoderIds, labels, rows } of batches(all, { size, bucket, rng: generator(seed) })) {
          assert.ok(rows.length >= 1 && rows.length <= size);
          assert.is(ids[0].length, Math.max(...rows.map((row) => all.ids[row].length)));
          rows.forEach((row, i) => {
            seen.push(row);
            assert.equal(ids[i].filter((_, t) => mask[i][t] === 1), all.ids[row]);
            assert.equal(ids[i], [...all.ids[row], ...new Array(ids[i].length - all.ids[row].length).fill(0)]);
            assert.equal(labels[i].filter((label) => label !== -1), all.answers[row]);
            assert.is(decoderIds[i].length, labels[i].length);
            assert.is(decoderIds[i][0], 0);
            for (let t = 1; t < labels[i].length; t++)
              if (labels[i][t] !== -1) assert.is(decoderIds[i][t], labels[i][t - 1]);
          });
        }
        assert.equal(seen.sort((a, b) => a - b), all.ids.map((_, i) => i));
      }),
  );
});

test("without a generator the order is that of the items; with the same seed it is the same", () => {
  const all = { ids: Array.from({ length: 10 }, (_, i) => [i + 3]), answers: Array.from({ length: 10 }, () => [1]) };
  assert.equal([...batches(all, { size: 4 })].map(({ rows }) => rows), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]);
  const order = (seed: number) => [...batches(all, { size: 4, rng: generator(seed) })].map(({ rows }) => rows);
  assert.equal(order(7), order(7));
  assert.is.not(JSON.stringify(order(7)), JSON.stringify(order(8)));
});

test("buckets halve the padding of mixed lengths", () => {
  const all = { ids: Array.from({ length: 400 }, (_, i) => new Array(1 + ((i * 37) % 20)).fill(5)),
    answers: Array.from({ length: 400 }, () => [1]) };
  const padding = (bucket: number) =>
    [...batches(all, { size: 16, bucket, rng: generator(1) })].flatMap(({ mask }) => mask.flat()).filter((one) =>
      one === 0
    ).length;
  assert.ok(padding(8) < padding(1) / 2);
});

test("a batch size that is no whole number is refused", () => {
  assert.throws(() => [...batches({ ids: [[3]], answers: [[1]] }, { size: 0 })],
    (error: unknown) => error instanceof MoeError && error.code === "batch-size");
});

function generator(seed: number) {
  let state = seed;
  return { next: () => (state = (state * 16807) % 2147483647) / 2147483647 };
}

test.run();
