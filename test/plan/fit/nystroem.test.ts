import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MemorySource } from "../../../sdk/model/memory-source.js";
import { applyPlan } from "../../../sdk/plan/apply.js";
import { forecast } from "../../../sdk/plan/forecast.js";
import type { Plan } from "../../../sdk/plan/plan.js";
import { ready, Rng } from "../../../sdk/tensor/index.js";
import { lstsq, matrix, product, transposed } from "../../../sdk/tensor/linalg/index.js";
import { close } from "../../support/close.js";
import { nanoMoe } from "../../support/nano-moe.js";

const test = suite("nystroem");
await ready();
const NAME = "layers.0.experts.1.down";
const WIDTH = 8, ROWS = 40;
const keep = [6, 0, 3, 2];

/** inputs [ROWS, WIDTH] and the sum of x x^T */
function seen(rng: Rng, ownOf: number): { x: ReturnType<typeof matrix>; tensors: Record<string, MemorySource> } {
  const x = matrix(Float64Array.from({ length: ROWS * WIDTH }, () => rng.normal()), ROWS, WIDTH);
  // those that go follow from those that stay, but for this share
  for (const at of [1, 4, 5, 7])
    for (let row = 0; row < ROWS; row++)
      x.data[row * WIDTH + at] = ownOf * x.data[row * WIDTH + at] + x.data[row * WIDTH + 6]
        - 0.5 * x.data[row * WIDTH + (at % 2 ? 2 : 3)];
  const gram = Float32Array.from(product(transposed(x), x).data);
  return { x, tensors: { gram: new MemorySource(new Map([[NAME, { shape: [WIDTH, WIDTH], values: gram }]])) } };
}

async function planOf(
  model: ReturnType<typeof nanoMoe>,
  fit: NonNullable<NonNullable<Plan["units"]>[string]["fit"]>,
): Promise<Plan> {
  return { version: 2, for: await model.weights.fingerprint(), method: "test", options: {}, layers: {},
    units: { "layers.0.experts.1": { keep, fit } } };
}

for (const [what, ownOf] of [["all of it where it follows", 0], ["as much of it as follows", 0.7]] as const) {
  test(`what stays says what goes had to say: ${what}`, async () => {
    const model = nanoMoe();
    const { x, tensors } = seen(new Rng(what), ownOf);
    const plan = await planOf(model, { by: "nystroem", statistic: "gram", options: { ridge: 0 } });
    const cut = await applyPlan(model, plan, { tensors });
    assert.equal(cut.weights.info(NAME).shape, [6, keep.length]);
    const before = matrix(await model.weights.values(NAME), 6, WIDTH);
    const wanted = product(x, transposed(before));
    const left = matrix(
      Float64Array.from({ length: ROWS * keep.length }, (_, i) =>
        x.data[Math.floor(i / keep.length) * WIDTH + keep[i % keep.length]]),
      ROWS,
      keep.length,
    );
    const found = matrix(await cut.weights.values(NAME), 6, keep.length);
    // the least squares of the outputs themselves, by another solver
    close(found.data, transposed(lstsq(left, wanted)).data, 1e-3, "weights");
    const error = product(left, transposed(found)).data.map((value, at) => value - wanted.data[at]);
    assert.ok(Math.hypot(...error) < (ownOf ? 1 : 1e-3) * Math.hypot(...wanted.data), `error ${Math.hypot(...error)}`);
    // up loses rows alone
    const up = await model.weights.values("layers.0.experts.1.up");
    assert.equal(await cut.weights.values("layers.0.experts.1.up"),
      Float32Array.from(keep.flatMap((neuron) => [...up.subarray(6 * neuron, 6 * neuron + 6)])));
    assert.is(forecast(model.spec, plan).parameters.after, forecast(model.spec, plan).parameters.before - 4 * 12);
  });
}

test("what is missing is named", async () => {
  const model = nanoMoe();
  const refused = async (fit: Parameters<typeof planOf>[1], tensors = {}) => {
    try {
      await (await applyPlan(model, await planOf(model, fit), { tensors })).weights.values(NAME);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("accepted");
  };
  const { tensors } = seen(new Rng("missing"), 1);
  assert.match(await refused({ by: "nystrom", statistic: "gram" }, tensors), /"nystrom"; accepted are .*nystroem/);
  assert.match(await refused({ by: "nystroem", statistic: "gram" }), /reads numbers "gram"/);
  assert.match(await refused({ by: "nystroem" }), /to fit a matrix 64 numbers.*none are there.*fit\.statistic/);
  const short = { gram: new MemorySource(new Map([[NAME, { shape: [4], values: new Float32Array(4) }]])) };
  assert.match(await refused({ by: "nystroem", statistic: "gram" }, short), /4 are there/);
  assert.match(await refused({ by: "nystroem", statistic: "gram", options: { ridge: -1 } }, tensors), /ridge is -1/);
  assert.match(await refused({ by: "svd" }), /it asks for a matrix/);
});

test.run();
