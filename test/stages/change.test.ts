import { suite } from "uvu";
import * as assert from "uvu/assert";
import { from, load } from "../../sdk/pipeline.js";
import { factorise } from "../../sdk/tensor/linalg/factorise.js";
import { close } from "../support/close.js";
import { fixture } from "../support/shared.js";

// What a method needs is measured on the data of the profile, gradients of the task loss too.
const test = suite("changing a study");
const data = [0, 1].map((k) => {
  const words = [0, 1, 2, 3].map(
    (row) => [3 + ((row * 7 + k) % 60), 3 + ((row * 11 + k * 5) % 60), 3 + ((row * 13 + 2 * k) % 60)]
  );
  return { ids: words, decoderIds: words.map(([a, b]) => [0, a, b]), labels: words };
});
const profiled = () => load(fixture("models/switch_transformers")).profile({ data });

for (const kind of ["fisher", "fisher.classes"] as const) {
  test(`${kind} weights: measured, applied, and every number of a merged expert is their weighted mean`, async () => {
    const study = await profiled().merge({ method: "m-smoe", keep: 0.5, weights: kind, align: "none", exclude: [] });
    const { tensors, plan, original, model } = study.state;
    const [layer, change] = Object.entries(plan!.layers)[0];
    const at = change.slots!.findIndex(({ from }) => from.length > 1);
    const { from: members, elementwise } = change.slots![at];
    assert.is(elementwise, kind);
    const read = (source: { values(name: string): Promise<Float32Array> }) =>
      Promise.all(members.map(({ expert }) => source.values(`${layer}.experts.${expert}.up`)));
    const [weights, fisher] = [await read(original.weights), await read(tensors![kind])];
    const expected = weights[0].map((_, i) =>
      members.reduce((sum, _, m) => sum + fisher[m][i] * weights[m][i] / members.length, 0)
      / (members.reduce((sum, _, m) => sum + fisher[m][i] / members.length, 0) + 1e-7)
    );
    close(await model.weights.values(`${layer}.experts.${at}.up`), expected, 1e-5);
    assert.ok(fisher.some((values) => values.some((value) => value > 0)));
  });
}

for (const similarity of ["gradient", "weight-gradient"] as const) {
  test(`similarity ${similarity}: measured when a method asks for it`, async () => {
    const study = await profiled().merge({ method: "m-smoe", keep: 0.5, similarity });
    const matrix = Object.values(study.profile!.layers)[0][`similarity.${similarity}`] as number[][];
    matrix.forEach((row, i) =>
      row.forEach((value, j) => {
        assert.ok(value >= -1e-6 && value <= 1 + 1e-6);
        close([value], [matrix[j][i]], 1e-6);
      })
    );
    assert.ok(matrix.flat().some((value) => value !== 1 && value !== 0.5));
  });
}

test("low rank + sparse, zero-shot: over the network the rows with the largest mean |s dL/ds| stay", async () => {
  const study = await profiled().compress({ method: "low-rank-sparse", rank: 2, keep: 0.3, by: "importance",
    exclude: [] });
  const all: { score: number; width: number; kept: boolean }[] = [];
  for (const [layer, { slots }] of Object.entries(study.plan!.layers)) {
    for (const [slot, { form }] of slots!.entries()) {
      const { rows } = form as { rows: Record<string, number[]> };
      for (const matrix of ["up", "down"]) {
        const name = `${layer}.experts.${slot}.${matrix}`;
        const [out, width] = study.original.weights.info(name).shape;
        const { s } = factorise(await study.original.weights.values(name), [out, width], 2);
        const gradient = await study.state.tensors!.gradients.values(name);
        for (let row = 0; row < out; row++) {
          const score = Array.from({ length: width }, (_, i) =>
            Math.abs(s[row * width + i] * gradient[row * width + i])).reduce((a, b) =>
              a + b, 0) / width;
          all.push({ score, width, kept: rows[matrix].includes(row) });
        }
        assert.is(study.model.weights.has(`${name}.s`), rows[matrix].length > 0);
      }
    }
  }
  const entries = (rows: typeof all) => rows.reduce((sum, { width }) => sum + width, 0);
  assert.ok(
    Math.min(...all.filter(({ kept }) => kept).map(({ score }) => score)) >= Math.max(...all.filter(({ kept }) =>
      !kept
    ).map(({ score }) => score)),
  );
  assert.ok(Math.abs(entries(all.filter(({ kept }) => kept)) / entries(all) - 0.3) < 0.02);
  const { logits } = await study.model.forward(data[0]);
  assert.ok((await logits.data()).every(Number.isFinite));
  logits.dispose();
});

test("statistics of gradients can be asked for while profiling, and one measurement serves all methods", async () => {
  const study = await load(fixture("models/switch_transformers")).profile({ data,
    statistics: ["fisher", "sensitivity"] });
  assert.equal(Object.keys(study.state.tensors!).sort(), ["fisher", "gradients"]);
  assert.ok("sensitivity" in Object.values(study.profile!.layers)[0]);
  const merged = await from(study).merge({ method: "m-smoe", keep: 0.5, weights: "fisher" });
  assert.is(merged.state.tensors!.fisher, study.state.tensors!.fisher);
});

test.run();
