import { suite } from "uvu";
import * as assert from "uvu/assert";
import { nonZeroRows, readRemainder } from "../../sdk/model/form/low-rank-sparse.js";
import type { LowRankSparse } from "../../sdk/model/form/matrix-form.js";
import { type DenseExpertSpec, moeLayers } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import type { Study } from "../../sdk/stages/study.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

// Recovery, and what goes away on the way: rows of remainders by importance, experts by usage.
const test = suite("distilling a study");
const data = [0, 1].map((k) => {
  const words = [0, 1, 2, 3].map(
    (row) => [3 + ((row * 7 + k) % 60), 3 + ((row * 11 + k * 5) % 60), 3 + ((row * 13 + 2 * k) % 60)]
  );
  return { ids: words, decoderIds: words.map(([a, b]) => [0, a, b]), labels: words };
});
const profiled = await load(fixture("models/switch_transformers")).profile({ data });
const compressed = await from(profiled).compress({ method: "low-rank-sparse", rank: 2, keep: 0.25, exclude: [] });

/** rows of each remainder that are not zero, beside what the spec says */
async function rowsOf(study: Study): Promise<{ said: number; found: number; of: number; width: number }[]> {
  const all = [];
  for (const { id, ffn } of moeLayers(study.model.spec)) {
    for (const [index, slot] of ffn.slots.entries()) {
      for (const [matrix, form] of Object.entries((slot as DenseExpertSpec).maps!)) {
        const said = (form as LowRankSparse).rows;
        const name = `${id}.experts.${index}.${matrix}`;
        const [of, width] = [study.model.weights.info(`${name}.u`).shape[0],
          study.model.weights.info(`${name}.v`).shape[1]];
        const found = nonZeroRows(await readRemainder(study.model.weights, `${name}.s`, [of, width]), width).length;
        // what is stored is the rows that are left
        if (said > 0) assert.equal(study.model.weights.info(`${name}.s`).shape, [said, width]);
        all.push({ said, found, of, width });
      }
    }
  }
  return all;
}

test("after low-rank-sparse, training drops rows over the whole network to the share that the plan names", async () => {
  const study = await from(compressed).distill({ data, steps: 25, batch: 4, lr: 1e-3, items: 8 });
  const rows = await rowsOf(study);
  for (const { said, found } of rows) assert.is(said, found, "the spec counts the rows that are left");
  const [left, all] = [rows.reduce((sum, { found, width }) => sum + found * width, 0),
    rows.reduce((sum, { of, width }) => sum + of * width, 0)];
  const widest = Math.max(...rows.map(({ width }) => width));
  // the threshold is a row's score, and that row stays; rows with the same score stay together
  assert.ok(left / all >= 0.25 - widest / all && left / all < 0.25 + 0.02, `${left / all} of the remainders is left`);
  assert.ok(new Set(rows.map(({ found, of }) => found / of)).size > 1, "the share differs between matrices");
  assert.equal(study.plan, compressed.plan);
});

test("with { sparsify: false } the rows that are zero stay zero", async () => {
  const before = await rowsOf(compressed);
  const study = await from(compressed).distill({ data, steps: 3, batch: 4, lr: 1e-2, items: 8, sparsify: false });
  assert.equal(await rowsOf(study), before);
  const name = `${moeLayers(study.model.spec)[0].id}.experts.0.up.u`;
  assert.is.not(String(await study.model.weights.values(name)), String(await compressed.model.weights.values(name)));
  // and a second training does not bring them back either
  const again = await from(study).distill({ data, steps: 3, batch: 4, lr: 1e-2, items: 8 });
  assert.equal(await rowsOf(again), before);
});

test("task-specific pruning on the way: experts go, the rest is stored and trained", async () => {
  const study = await from(profiled).train({ data, steps: 20, batch: 4, lr: 1e-3, items: 8,
    prune: { keep: 2, exclude: [] } });
  for (const { id, ffn } of moeLayers(study.model.spec)) {
    assert.is(ffn.slots.length, 2, id);
    assert.is(ffn.router.masked!.length, ffn.experts - 2);
  }
  assert.is(study.plan!.method, "task-specific");
  assert.is(study.original, profiled.original);
  assert.equal(study.steps.at(-1)!.plan, study.state.plan);
  const { logits } = await study.model.forward(data[0]);
  assert.ok((await logits.data()).every(Number.isFinite));
  logits.dispose();
});

test("the released code's mask keeps every expert and multiplies logits", async () => {
  const study = await from(profiled).train({ data, steps: 10, batch: 4, lr: 1e-3, items: 8,
    prune: { keep: 2, exclude: [], mask: "released-product" } });
  const [{ ffn }] = moeLayers(study.model.spec);
  assert.is(ffn.slots.length, ffn.experts);
  assert.is(ffn.router.maskBy, "released-product");
});

test("rows and experts cannot go in one training", async () => {
  const error = await rejects(
    Promise.resolve(from(compressed).distill({ data, steps: 2, items: 8, prune: { keep: 2 } })),
  );
  assert.is(error.code, "two-prunings");
});

test.run();
