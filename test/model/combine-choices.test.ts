import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cost } from "../../sdk/model/cost.js";
import { combineChoices } from "../../sdk/model/expert/combine-choices.js";
import { initialize } from "../../sdk/model/initialize.js";
import { Model } from "../../sdk/model/model.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { checkPlan } from "../../sdk/plan/check.js";
import type { Plan } from "../../sdk/plan/plan.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { nanoMoe } from "../support/nano-moe.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("router plans that change how experts run");
await ready();

test("choices of one place become its first, with the sum of the gates", () =>
  noLeaks(async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.integer({ min: -1, max: 3 }), fc.integer({ min: -1, max: 3 }), fc.integer({ min: -1, max: 3 })),
          { minLength: 1, maxLength: 6 },
        ),
        async (rows) => {
          const place = tf.tensor2d(rows.map((row) => [...row]), [rows.length, 3], "int32");
          const gates = tf.tensor2d(rows.map((_, i) => [0.5, 0.25 + i, 0.125]), [rows.length, 3]);
          const combined = tf.tidy(() => combineChoices(place, gates));
          const [places, worth] = [await combined.place.data(), await combined.gates.data()];
          rows.forEach((row, n) => {
            const own = Array.from(places.slice(3 * n, 3 * n + 3)).filter((value) =>
              value >= 0
            );
            assert.is(new Set(own).size, own.length, "no place twice");
            for (const value of new Set(row.filter((value) => value >= 0))) {
              const expected = row.reduce((sum, chosen, k) => sum + (chosen === value ? [0.5, 0.25 + n, 0.125][k] : 0),
                0);
              close([worth[3 * n + places.slice(3 * n, 3 * n + 3).indexOf(value)]], [expected], 1e-6);
            }
          });
          tf.dispose([place, gates, combined.place, combined.gates]);
        },
      ),
      { numRuns: 20 },
    );
  }));

const nano = (bidirectional: boolean) => {
  const { spec } = nanoMoe({ layers: 2, experts: 4, topK: 2, gated: true });
  if (bidirectional) {
    for (const { attention } of spec.decoder.layers)
      if (attention?.kind === "softmax") {
        attention.causal = false;
        attention.relative!.bidirectional = true;
      }
  }
  return { spec, weights: initialize(spec, new Rng("router plans")) };
};
const planOf = async (model: ReturnType<typeof nano>, layer: Plan["layers"][string]): Promise<Plan> => ({ version: 1,
  for: await model.weights.fingerprint(), method: "test", options: {},
  layers: { "layers.0": layer, "layers.1": layer } });
async function logits(
  spec: ReturnType<typeof nano>["spec"],
  weights: ConstructorParameters<typeof Model>[2],
  batch: Parameters<Model["forward"]>[0],
): Promise<Float32Array> {
  const forward = await new Model("test", spec, weights).forward(batch);
  const values = (await forward.logits.data()) as Float32Array;
  forward.dispose();
  return values;
}
const batch = { ids: [[1, 2, 3, 4], [5, 6, 7, 0]], mask: [[1, 1, 1, 1], [1, 1, 1, 0]] };

test("combining changes nothing but the count of runs", async () => {
  const model = nano(false);
  const merged = {
    slots: [{ from: [{ expert: 0, weight: 0.5 }, { expert: 1, weight: 0.5 }] }, { from: [{ expert: 2, weight: 1 }] }],
    expertOf: [0, 0, 1, 1],
  };
  const [plain, combined] = [await applyPlan(model, await planOf(model, merged)),
    await applyPlan(model, await planOf(model, { ...merged, router: { combine: true } }))];
  close(await logits(combined.spec, combined.weights, batch), await logits(plain.spec, plain.weights, batch), 1e-5);
  assert.ok(cost(combined.spec).flopsPerToken < cost(plain.spec).flopsPerToken);
});

test("merged for each sequence: experts that are equal give what they gave, and padding has no part", async () => {
  const model = nano(true);
  const tensors = new Map(
    [...model.weights.names()].map((name) => [name, name.replace(/experts\.\d/, "experts.0")] as const),
  );
  const equal = {
    ...model,
    weights: Object.assign(Object.create(Object.getPrototypeOf(model.weights)), model.weights, {
      read: (name: string) => model.weights.read(tensors.get(name)!),
      values: (name: string) => model.weights.values(tensors.get(name)!),
    }) as typeof model.weights,
  };
  const meo = await applyPlan(equal, await planOf(equal, { router: { merge: "sequence" } }));
  close((await logits(meo.spec, meo.weights, batch)).slice(0, 7 * 11),
    (await logits(equal.spec, equal.weights, batch)).slice(0, 7 * 11), 1e-4);
  const own = await applyPlan(model, await planOf(model, { router: { merge: "sequence" } }));
  const padded = await logits(own.spec, own.weights, { ids: [[5, 6, 7, 0, 0]], mask: [[1, 1, 1, 0, 0]] });
  close(padded.slice(0, 33), await logits(own.spec, own.weights, { ids: [[5, 6, 7]] }), 1e-5);
  const tokens = { target: 64 };
  assert.ok(cost(own.spec, tokens).flops.experts < 0.6 * cost(model.spec, tokens).flops.experts,
    "two experts for a little more than one");
});

test("under a causal mask a sequence is not merged", async () => {
  const model = nano(false);
  try {
    checkPlan(await planOf(model, { router: { merge: "sequence" } }), model.spec);
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code: string }).code, "sees-later-tokens");
  }
});

test.run();
