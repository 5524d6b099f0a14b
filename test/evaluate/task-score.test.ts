import { test } from "uvu";
import * as assert from "uvu/assert";
import { divergence } from "../../sdk/evaluate/divergence.js";
import { scoreGeneration, symbolEdits } from "../../sdk/evaluate/generation-score.js";
import { scoreTask } from "../../sdk/evaluate/task-score.js";
import { type LogitsModel, type TaskBatch, TeacherLogits } from "../../sdk/evaluate/teacher-logits.js";
import { Rng, tf } from "../../sdk/tensor/index.js";
import { useBackend } from "../support/backends.js";
import { close } from "../support/close.js";

const V = 7;

/** Logits that depend on the decoder's ids alone, as plain numbers, so that every score can be computed by hand too. */
function rowOf(seed: number, id: number): number[] {
  const rng = new Rng(1000 * seed + id);
  return Array.from({ length: V }, () => 2 * rng.normal());
}

function tableModel(seed: number): LogitsModel & { calls: number } {
  return {
    calls: 0,
    async forward({ decoderIds }) {
      this.calls += 1;
      return { logits: tf.tensor3d(decoderIds!.map((row) => row.map((id) => rowOf(seed, id)))) };
    },
  };
}

const argMax = (row: number[]) => row.indexOf(Math.max(...row));
const logSoftmax = (row: number[]) => {
  const sum = Math.log(row.reduce((total, x) => total + Math.exp(x), 0));
  return row.map((x) => x - sum);
};
const kl = (p: number[], q: number[]) =>
  logSoftmax(p).reduce((sum, logP, v) => sum + Math.exp(logP) * (logP - logSoftmax(q)[v]), 0);

/** 5 items in 2 batches, not in order; the model of seed 1 is right on all of item 0 and half of item 3 */
function batches(): TaskBatch[] {
  const best = (id: number) => argMax(rowOf(1, id));
  const wrong = (id: number) => (best(id) + 1) % V;
  return [{ ids: [[2, 3], [4, 0], [5, 5]], mask: [[1, 1], [1, 0], [1, 1]],
    decoderIds: [[0, 3, 4], [0, 5, 0], [0, 1, 2]],
    labels: [[wrong(0), wrong(3), wrong(4)], [best(0), wrong(5), -1], [wrong(0), best(1), wrong(2)]], rows: [4, 3, 1] },
    { ids: [[6], [2]], mask: [[1], [1]], decoderIds: [[0, 6], [0, 0]], labels: [[best(0), best(6)], [wrong(0), -1]],
      rows: [0, 2] }];
}

test.before(() => useBackend("cpu"));

test("scores equal those counted by hand, in the order of the items", async () => {
  const scores = await scoreTask(tableModel(1), batches(), { teacher: tableModel(2) });
  assert.equal(scores.exact_match.perItem, [1, 0, 0, 0, 0]);
  assert.is(scores.exact_match.value, 0.2);
  close([scores.exact_match.stderr], [0.2], 1e-12);
  close(scores.token_accuracy.perItem, [1, 1 / 3, 0, 0.5, 0], 1e-12);
  close([scores.token_accuracy.value], [4 / 11], 1e-12);
  let nll = 0, divergences = 0, same = 0;
  for (const { decoderIds, labels } of batches()) {
    labels.forEach((row, b) =>
      row.forEach((label, t) => {
        if (label < 0) return;
        const [student, teacher] = [rowOf(1, decoderIds![b][t]), rowOf(2, decoderIds![b][t])];
        nll -= logSoftmax(student)[label];
        divergences += kl(teacher, student);
        same += argMax(student) === argMax(teacher) ? 1 : 0;
      })
    );
  }
  // float32 logits against float64 sums
  close([scores.nll.value, scores.kl!.value, scores.agreement!.value], [nll / 11, divergences / 11, same / 11], 1e-5);
});

test("a part of a larger task keeps the order of its items, without gaps", async () => {
  const part = batches().map((batch) => ({ ...batch, rows: batch.rows!.map((row) => 10 * row + 3) }));
  assert.equal(await scoreTask(tableModel(1), part), await scoreTask(tableModel(1), batches()));
});

test("a model agrees with itself", async () => {
  const scores = await scoreTask(tableModel(1), batches(), { teacher: tableModel(1) });
  assert.equal([scores.kl!.value, scores.agreement!.value], [0, 1]);
  assert.is((await scoreTask(tableModel(1), batches())).kl, undefined);
});

test("padding and the cut into batches change nothing", async () => {
  const wide = batches().map((batch) => ({ ...batch, decoderIds: batch.decoderIds!.map((row) => [...row, 6]),
    labels: batch.labels.map((row) => [...row, -1]) })
  );
  const single = batches().flatMap(({ ids, mask, decoderIds, labels, rows }) =>
    ids.map((_, b) => ({ ids: [ids[b]], mask: [mask![b]], decoderIds: [decoderIds![b]], labels: [labels[b]],
      rows: [rows![b]] })
    )
  );
  const expected = await scoreTask(tableModel(1), batches(), { teacher: tableModel(2) });
  for (const other of [wide, single])
    assert.equal(await scoreTask(tableModel(1), other, { teacher: tableModel(2) }), expected);
});

test("a teacher runs once per batch while the budget lasts, with the same numbers beyond it", async () => {
  const task = batches();
  const run = async (memoryBytes: number) => {
    const model = tableModel(2);
    const teacher = new TeacherLogits(model, { memoryBytes });
    const scores = [await scoreTask(tableModel(1), task, { teacher }),
      await scoreTask(tableModel(3), task, { teacher })];
    return { calls: model.calls, scores };
  };
  const [all, first, none] = [await run(2 ** 20), await run(4 * V * 8), await run(0)];
  assert.equal([all.calls, first.calls, none.calls], [2, 3, 4]);
  assert.equal(first.scores, all.scores);
  assert.equal(none.scores, all.scores);
});

test("no tensor is left, also after an error", async () => {
  const before = tf.memory().numTensors;
  await scoreTask(tableModel(1), batches(), { teacher: tableModel(2) });
  const broken: LogitsModel = { forward: async () => ({ logits: tf.zeros([1, 1, V]) }) };
  await scoreTask(broken, batches()).then(() => assert.unreachable(),
    (error) => assert.match(error.message, /mask has 9 positions/));
  assert.is(tf.memory().numTensors, before);
});

test("bad tasks are named, progress is told, a signal stops", async () => {
  const refused = async (task: TaskBatch[], message: RegExp, signal?: AbortSignal) =>
    scoreTask(tableModel(1), task, { signal }).then(() => assert.unreachable(), (error) =>
      assert.match(error.message, message));
  await refused([], /no items/);
  await refused([{ ids: [[1]], decoderIds: [[0]], labels: [[-1]], rows: [7] }], /item 7 has no label/);
  await refused([...batches(), ...batches()], /occurs twice/);
  await refused(batches(), /stopped after 0 of 5/, AbortSignal.abort());
  const seen: number[][] = [];
  await scoreTask(tableModel(1), batches(), { onProgress: (...progress) => seen.push(progress) });
  assert.equal(seen, [[3, 5], [5, 5]]);
});

test("divergence: a token that the teacher excludes adds nothing, one that the student excludes is " + "infinite",
  async () => {
    const teacher = tf.tensor2d([[0, 0, -Infinity], [0, 0, 0]]);
    const student = tf.tensor2d([[0, Math.log(3), 0], [0, 0, -Infinity]]);
    const { kl, agree } = await divergence(teacher, student);
    close([kl[0]], [0.5 * Math.log(0.5 / 0.2) + 0.5 * Math.log(0.5 / 0.6)], 1e-6);
    assert.is(kl[1], Infinity);
    assert.equal([...agree], [0, 1]);
    assert.is((await divergence(teacher, student, [0, 1])).kl.length, 1);
    tf.dispose([teacher, student]);
  });

test("generation: edits over symbols, whatever follows the end is not read", async () => {
  const answers = [[5, 6, 1, 9], [5, 1], [2, 2, 2, 2]];
  let call = 0;
  const generate = async ({ ids, mask }: { ids: number[][]; mask: number[][] }) => {
    if (call++ === 0) assert.equal([ids, mask], [[[3, 4], [3, 0]], [[1, 1], [1, 0]]]);
    return ids.map(() => answers.shift()!);
  };
  const items = [{ prompt: [3, 4], answer: [5, 6] }, { prompt: [3], answer: [5, 7] }, { prompt: [9], answer: [2] }];
  const { exact_match, symbol_error_rate } = await scoreGeneration(generate, items, { stop: [1], batchSize: 2 });
  assert.equal(exact_match.perItem, [1, 0, 0]);
  assert.equal(symbol_error_rate.perItem, [0, 0.5, 3]);
  close([symbol_error_rate.value], [4 / 5], 1e-12);
});

test("edits of ids that do not fit a character", () => {
  assert.is(symbolEdits([7, 90000, 3], [7, 3]), 1);
  assert.is(symbolEdits([65536 + 7], [7]), 1);
  assert.is(symbolEdits([], [1, 2]), 2);
});

test.run();
