import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyPlan } from "../../../sdk/plan/apply.js";
import { forecast } from "../../../sdk/plan/forecast.js";
import type { Plan, WeightPlan } from "../../../sdk/plan/plan.js";
import { codecOf, packedBytes, roundTo } from "../../../sdk/tensor/formats/codecs.js";
import type { GroupedFormat } from "../../../sdk/tensor/formats/number-format.js";
import { ready } from "../../../sdk/tensor/index.js";
import { nanoMoe } from "../../support/nano-moe.js";

const test = suite("nearest");
await ready();
const format: GroupedFormat = { kind: "grouped", bits: 3, group: 2, zero: "none", scales: "F16" };
const model = nanoMoe({ bias: true });
const planOf = async (weights: Record<string, WeightPlan>): Promise<Plan> => ({ version: 2,
  for: await model.weights.fingerprint(), method: "test", options: {}, layers: {}, weights });

test("the matrices of a beginning of names are packed, what is no matrix stays", async () => {
  const plan = await planOf({ "layers.0.experts.": { format },
    "layers.0.experts.2.": { fit: { by: "nearest" }, format: { ...format, bits: 8 } } });
  const { weights } = await applyPlan(model, plan);
  for (const part of ["up", "down"]) {
    for (const [slot, its] of [[0, format], [2, { ...format, bits: 8 as const }]] as const) {
      const name = `layers.0.experts.${slot}.${part}`;
      const { shape } = weights.info(name);
      assert.equal(weights.info(name), { dtype: "F32", shape, sizeBytes: packedBytes(its, shape), format: its });
      const values = await weights.values(name);
      assert.equal(values, roundTo(await model.weights.values(name), shape, its));
      assert.equal(codecOf(its).decode((await weights.parts!(name))!, shape, its), values);
    }
  }
  assert.equal(await weights.values("layers.0.experts.1.up.bias"),
    await model.weights.values("layers.0.experts.1.up.bias"));
  assert.is(weights.parts!("layers.1.experts.0.up"), undefined);
  const { before, after } = forecast(model.spec, plan, { weights: model.weights }).sizeBytes;
  // rows are whole bytes; a scale of two bytes for every two inputs
  const expected = (bits: number) => 8 * Math.ceil((6 * bits) / 8) + 6 * bits + 2 * (2 * 8 * 6) / 2;
  assert.is(before - after, 4 * 2 * 8 * 6 * 4 - 3 * expected(3) - expected(8));
});

test("a format that a weight cannot have, and one that there is not", async () => {
  const refused = async (weights: Record<string, WeightPlan>) => {
    try {
      await applyPlan(model, await planOf(weights));
    } catch (error) {
      assert.is((error as { code?: string }).code, "bad-plan", (error as Error).stack);
      return (error as Error).message;
    }
    throw new Error("accepted");
  };
  assert.match(await refused({ "layers.0.router": { format: { ...format, group: 4 } } }), /group/);
  assert.match(await refused({ "layers.0.router": { format: { kind: "groupd" } as never } }), /groupd/);
  assert.match(await refused({ "layers.0.norm.ffn": { format } }), /1 axes/);
  assert.match(await refused({ "layers.0.router": { fit: { by: "nearest" } } }), /no format/);
  assert.match(await refused({ "layers.0.router": {} }), /from, form, format or fit/);
});

test.run();
