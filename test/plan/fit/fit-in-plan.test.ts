import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MemorySource } from "../../../sdk/model/memory-source.js";
import { applyPlan } from "../../../sdk/plan/apply.js";
import type { Plan, WeightPlan } from "../../../sdk/plan/plan.js";
import { codecOf } from "../../../sdk/tensor/formats/codecs.js";
import type { GroupedFormat } from "../../../sdk/tensor/formats/number-format.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { nanoMoe } from "../../support/nano-moe.js";
import { rejects } from "../../support/rejects.js";

const test = suite("fitters in a plan");
const name = "layers.1.experts.2.up";
const four: GroupedFormat = { kind: "grouped", bits: 4, group: 3, zero: "integer", scales: "F16" };

/** A model, rows that its matrix multiplies, and what is measured of them. */
function given() {
  const model = nanoMoe();
  const rng = new Rng(3);
  const width = model.spec.width,
    rows = Float32Array.from({ length: 40 * width }, (_, i) => rng.normal() * (1 + i % width));
  const gram = new Float32Array(width * width), norms = new Float32Array(width);
  for (let t = 0; t < 40; t++)
    for (let i = 0; i < width; i++) {
      norms[i] += rows[t * width + i] ** 2;
      for (let j = 0; j < width; j++) gram[i * width + j] += rows[t * width + i] * rows[t * width + j];
    }
  const of = (shape: number[], values: Float32Array) => new MemorySource(new Map([[name, { shape, values }]]));
  return { model, rows,
    tensors: { "gram.inputs": of([width, width], gram), inputNorms: of([width], norms.map(Math.sqrt)),
      "inputs.64": of([40, width], rows) } };
}

async function fitted({ model, tensors }: ReturnType<typeof given>, weight: WeightPlan) {
  const plan: Plan = { version: 2, for: await model.weights.fingerprint(), method: "test", options: {}, layers: {},
    weights: { [name]: weight } };
  return (await applyPlan(model, plan, { tensors })).weights;
}

for (const [by, statistic, options] of [["gptq", "gram.inputs", { actOrder: true, staticGroups: true }], ["awq",
  "inputs.64", { rows: 64 }], ["nearest"]] as const) {
  test(`${by}: codes in the format that is asked for, whose numbers are what is read`, async () => {
    const format: GroupedFormat = by === "awq" ? { ...four, inputs: true } : four;
    const at = given();
    const weights = await fitted(at, { format, fit: { by, ...(statistic && { statistic, options }) } });
    const parts = await weights.parts!(name)!;
    const { shape, format: stored } = weights.info(name);
    assert.equal(stored, format);
    assert.equal(Object.keys(parts).sort(), Object.keys(codecOf(format).parts(format, shape)).sort());
    const values = await weights.values(name), before = await at.model.weights.values(name);
    assert.equal(values, codecOf(format).decode(parts, shape, format));
    const most = before.reduce((sum, each) => Math.max(sum, Math.abs(each)), 0);
    values.forEach((value, i) => assert.ok(Math.abs(value - before[i]) < most, `${value} for ${before[i]}`));
    assert.ok(values.some((value, i) => value !== before[i]));
    assert.equal(
      await (await fitted(given(), { format, fit: { by, ...(statistic && { statistic, options }) } })).values(name),
      values,
      "the same plan and statistics give the same numbers",
    );
  });
}

for (const [by, statistic] of [["sparsegpt", "gram.inputs"], ["wanda", "inputNorms"], ["magnitude"]] as const) {
  test(`${by}: half of the weights are 0, in a sparse format too`, async () => {
    const fit = { by, ...(statistic && { statistic }), options: { of: [3, 6] } };
    const plain = await (await fitted(given(), { fit })).values(name);
    assert.is(plain.filter((value) => value === 0).length, plain.length / 2);
    const packed = await fitted(given(), { fit, format: { kind: "sparse", of: [3, 6], values: "F32" } });
    assert.equal(await packed.values(name), plain);
  });
}

test("options, formats and statistics that do not fit are refused by name", async () => {
  const refused = async (weight: WeightPlan) => (await rejects(fitted(given(), weight))).message;
  assert.match(
    await refused({ format: four, fit: { by: "gptq", statistic: "gram.inputs", options: { dampening: 1 } } }),
    /no option "dampening".*"damping"/,
  );
  assert.match(await refused({ fit: { by: "gptq", statistic: "gram.inputs" } }), /the format is "plain"/);
  assert.match(
    await refused({ format: four, fit: { by: "gptq", statistic: "gram.inputs", options: { actOrder: true } } }),
    /order: true/,
  );
  const wrong = await fitted(given(), { format: four, fit: { by: "gptq", statistic: "inputNorms" } });
  assert.is((await rejects(wrong.values(name))).code, "tensors-missing");
});

test.run();
