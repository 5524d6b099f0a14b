import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { flattenBatch } from "../../sdk/model/batch.js";
import type { TrainingBatch } from "../../sdk/model/batch.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { initialize } from "../../sdk/model/initialize.js";
import { MemorySource } from "../../sdk/model/memory-source.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { classesOf, ExpertGradients, type GradientKind } from "../../sdk/profile/expert-gradients.js";
import { withSensitivity } from "../../sdk/profile/sensitivity.js";
import { crossEntropy, ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";
import { rejects } from "../support/rejects.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("gradients of experts");
await ready();

const { spec } = nanoMoe({ layers: 2, experts: 3, topK: 2, gated: true });
const weights = initialize(spec, new Rng("gradients"));
const model = { spec, weights };
/** rows of 2 to 5 tokens, padded to a common length */
function batchOf(rows: number[][], pad = 0): TrainingBatch {
  const T = Math.max(...rows.map((row) => row.length)) - 1 + pad;
  const fill = (row: number[], blank: number) => [...row, ...new Array<number>(T - row.length).fill(blank)];
  return { ids: rows.map((row) => fill(row.slice(0, -1), 0)),
    mask: rows.map((row) => fill(row.slice(1).map(() => 1), 0)), labels: rows.map((row) => fill(row.slice(1), -1)) };
}
const sentence = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 6 });
const everyToken = Array.from({ length: spec.vocab }, (_, id) => id);
async function seen(kind: GradientKind, ...batches: TrainingBatch[]): Promise<ExpertGradients> {
  return seenOf(kind, everyToken, batches);
}
async function seenOf(kind: GradientKind, classes: number[], batches: TrainingBatch[]): Promise<ExpertGradients> {
  const sums = await ExpertGradients.of(kind, model, classes);
  for (const batch of batches) await sums.see(batch);
  return sums;
}
async function flat(source: MemorySource): Promise<number[]> {
  const all: number[] = [];
  for (const name of [...source.names()].sort()) all.push(...(await source.values(name)));
  return all;
}
/** mean cross-entropy with one weight moved */
async function loss(batch: TrainingBatch, name?: string, index = 0, by = 0): Promise<number> {
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const each of weights.names())
    tensors.set(each, { shape: weights.info(each).shape, values: await weights.values(each) });
  if (name) tensors.get(name)!.values[index] += by;
  const moved = await Trainable.from(spec, new MemorySource(tensors));
  const rows = tf.tidy(() =>
    crossEntropy(moved.logits(flattenBatch(batch, spec)), tf.tensor1d(Int32Array.from(batch.labels.flat()), "int32"))
  );
  const values = Array.from(await rows.data());
  rows.dispose();
  moved.dispose();
  return values.reduce((sum, value) => sum + value, 0) / batch.labels.flat().filter((label) => label >= 0).length;
}

test("the gradient is the slope of the mean loss, for every expert tensor by its own name", () =>
  noLeaks(async () => {
    const batch = batchOf([[1, 4, 7, 2], [3, 3, 9, 5, 8], [6, 1]]);
    const sums = await seen("gradients", batch);
    const gradients = sums.result();
    sums.dispose();
    const experts = expectedTensors(spec).filter(({ name }) => name.includes(".experts."));
    assert.equal([...gradients.names()].sort(), experts.map(({ name }) => name).sort());
    for (const { name, shape } of experts.filter((_, i) => i % 5 === 0)) {
      assert.equal(gradients.info(name).shape, shape);
      const step = 1e-2;
      const slope = (await loss(batch, name, 3, step) - await loss(batch, name, 3, -step)) / (2 * step);
      // float32 losses leave about 1e-4 of slope at this step
      close([(await gradients.values(name))[3]], [slope], 1e-3, name);
    }
  }));

test("fisher: the mean of the squared gradients of single sequences", () =>
  noLeaks(async () => {
    const rows = [[1, 4, 7, 2], [3, 3, 9, 5, 8], [6, 1]];
    const sums = await seen("fisher", batchOf(rows));
    const singles = await Promise.all(rows.map(async (row) => {
      const one = await seen("gradients", batchOf([row]));
      one.dispose();
      return flat(one.result());
    }));
    close(await flat(sums.result()),
      singles[0].map((_, i) => singles.reduce((sum, one) => sum + one[i] ** 2, 0) / rows.length), 1e-6);
    sums.dispose();
  }));

test("fisher.classes of two classes: p0 p1 times the squared gradient of the difference of their logits", () =>
  noLeaks(async () => {
    const asked = (label: number): TrainingBatch => ({ ids: [[1, 4, 7, 2]], labels: [[-1, -1, label, 5]] });
    const [first, second] = await Promise.all([4, 9].map(async (label) => {
      const batch: TrainingBatch = { ids: [[1, 4, 7, 2]], labels: [[-1, -1, label, -1]] };
      const sums = await seen("gradients", batch);
      sums.dispose();
      return { loss: await loss(batch), gradient: await flat(sums.result()) };
    }));
    const p = 1 / (1 + Math.exp(first.loss - second.loss));
    const sums = await seenOf("fisher.classes", classesOf([asked(9), asked(4)]), [asked(4), { ids: [[3, 3]],
      labels: [[-1, -1]] }]);
    // losses in float32 give p to some 1e-6
    close(await flat(sums.result()), first.gradient.map((g, i) => p * (1 - p) * (g - second.gradient[i]) ** 2), 1e-4);
    sums.dispose();
  }));

test("fisher.classes of a text, whose labels begin with anything, is refused", () => {
  const labels = Array.from({ length: 65 }, (_, id) => [-1, id, 1]);
  assert.equal(classesOf([{ ids: [], labels: labels.slice(1) }]).length, 64);
  assert.throws(() => classesOf([{ ids: [], labels }]),
    (error: { code: string; message: string }) => error.code === "too-many-classes" && error.message.includes("65"));
});

for (const kind of ["gradients", "fisher", "fisher.classes"] as const) {
  test(`${kind}: batches, padding and shards change nothing beyond rounding`, () =>
    noLeaks(async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(sentence, { minLength: 2, maxLength: 5 }), fc.nat(), fc.nat(3),
          async (rows, cut, pad) => {
            const at = 1 + (cut % (rows.length - 1));
            const parts = [batchOf(rows.slice(0, at), pad), batchOf(rows.slice(at))];
            const [whole, chunked, first, second] = [await seen(kind, batchOf(rows)), await seen(kind, ...parts),
              await seen(kind, parts[0]), await seen(kind, parts[1])];
            first.merge(second);
            const expected = await flat(whole.result());
            assert.ok(expected.some((value) => value !== 0));
            close(await flat(chunked.result()), expected, 1e-5, "chunks");
            close(await flat(first.result()), expected, 1e-5, "shards");
            for (const sums of [whole, chunked, first, second]) sums.dispose();
          }),
        { numRuns: 8 },
      );
    }));
}

test("sensitivity: what the loss loses to first order", async () => {
  const sums = await seen("gradients", batchOf([[1, 4, 7, 2, 5, 9]]));
  const gradients = sums.result();
  sums.dispose();
  const base = await nanoProfile(nanoMoe({ layers: 2, experts: 3 }));
  const { layers } = await withSensitivity(base, model, gradients);
  const { total, entries } = layers["layers.1"].sensitivity as { total: number[]; entries: number[] };
  for (let e = 0; e < 3; e++) {
    let [signed, absolute] = [0, 0];
    for (const matrix of ["up", "gate", "down"]) {
      const [w, g] = [await weights.values(`layers.1.experts.${e}.${matrix}`),
        await gradients.values(`layers.1.experts.${e}.${matrix}`)];
      w.forEach((value, i) => {
        signed += value * g[i];
        absolute += Math.abs(value * g[i]);
      });
    }
    close([total[e], entries[e]], [Math.abs(signed), absolute], 1e-9);
    assert.ok(entries[e] >= total[e]);
  }
});

test("a batch without labels is refused", async () => {
  const sums = await ExpertGradients.of("gradients", model);
  assert.is((await rejects(sums.see({ ids: [[1, 2]] } as never))).code, "labels-missing");
  sums.dispose();
});

test.run();
