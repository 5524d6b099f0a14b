import { suite } from "uvu";
import * as assert from "uvu/assert";
import { from, load } from "../../sdk/pipeline.js";
import { fixture } from "../support/shared.js";
import { close } from "../support/close.js";

// What a method needs is measured on the data of the profile, gradients of the task loss too.
const test = suite("changing a study");
const data = [0, 1].map((k) => {
  const words = [0, 1, 2, 3].map((row) => [3 + ((row * 7 + k) % 60), 3 + ((row * 11 + k * 5) % 60), 3 + ((row * 13 + 2 * k) % 60)]);
  return { ids: words, decoderIds: words.map(([a, b]) => [0, a, b]), labels: words };
});
const profiled = () => load(fixture("models/switch_transformers")).profile({ data });

test("fisher weights: measured, applied, and every number of a merged expert is their weighted mean", async () => {
  const study = await profiled().merge({ method: "m-smoe", keep: 0.5, weights: "fisher", align: "none", exclude: [] });
  const { tensors, plan, original, model } = study.state;
  const [layer, change] = Object.entries(plan!.layers)[0];
  const at = change.slots!.findIndex(({ from }) => from.length > 1);
  const { from: members, elementwise } = change.slots![at];
  assert.is(elementwise, "fisher");
  const read = (source: { values(name: string): Promise<Float32Array> }) => Promise.all(members.map(({ expert }) => source.values(`${layer}.experts.${expert}.up`)));
  const [weights, fisher] = [await read(original.weights), await read(tensors!.fisher)];
  const expected = weights[0].map((_, i) => members.reduce((sum, _, m) => sum + fisher[m][i] * weights[m][i] / members.length, 0) / (members.reduce((sum, _, m) => sum + fisher[m][i] / members.length, 0) + 1e-7));
  close(await model.weights.values(`${layer}.experts.${at}.up`), expected, 1e-5);
  assert.ok(fisher.some((values) => values.some((value) => value > 0)));
});

for (const similarity of ["gradient", "weight-gradient"] as const) {
  test(`similarity ${similarity}: measured when a method asks for it`, async () => {
    const study = await profiled().merge({ method: "m-smoe", keep: 0.5, similarity });
    const matrix = Object.values(study.profile!.layers)[0][`similarity.${similarity}`] as number[][];
    matrix.forEach((row, i) => row.forEach((value, j) => { assert.ok(value >= -1e-6 && value <= 1 + 1e-6); close([value], [matrix[j][i]], 1e-6); }));
    assert.ok(matrix.flat().some((value) => value !== 1 && value !== 0.5));
  });
}

test("statistics of gradients can be asked for while profiling, and one measurement serves all methods", async () => {
  const study = await load(fixture("models/switch_transformers")).profile({ data, statistics: ["fisher", "sensitivity"] });
  assert.equal(Object.keys(study.state.tensors!).sort(), ["fisher", "gradients"]);
  assert.ok("sensitivity" in Object.values(study.profile!.layers)[0]);
  const merged = await from(study).merge({ method: "m-smoe", keep: 0.5, weights: "fisher" });
  assert.is(merged.state.tensors!.fisher, study.state.tensors!.fisher);
});

test.run();
