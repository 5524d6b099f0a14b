import { test } from "uvu";
import * as assert from "uvu/assert";
import { moeLayers } from "../../sdk/model/spec.js";
import { create, from } from "../../sdk/pipeline.js";
import { timeOf, usualSpeeds } from "../../sdk/plan/apply-speeds.js";
import { forecast } from "../../sdk/plan/forecast.js";
import { describe, lower } from "../../sdk/plan/lower.js";
import type { Plan } from "../../sdk/plan/plan.js";
import { timeApply } from "../../sdk/plan/time-apply.js";
import { worksOf } from "../../sdk/plan/work.js";
import { noLeaks } from "../support/tensors.js";

// What it says is measured in test/bench/forecast; here, when it tries and when it counts.
const config = {
  model_type: "mixtral",
  vocab_size: 16,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-5,
  rope_theta: 1e4,
  tie_word_embeddings: true,
};
const profiled = await create(config).profile({
  data: [{ ids: [[1, 2, 3, 4, 5, 6, 7, 8]], labels: [[2, 3, 4, 5, 6, 7, 8, 9]] }] as never,
});
const { model } = profiled;
const { plan } = await from(profiled).plan({ method: "m-smoe", keep: 2 });

test("slots too slow to be tried are counted", async () => {
  const { work, applyMs } = forecast(model.spec, plan!, { speeds: usualSpeeds });
  assert.is(await timeApply(model, plan!, usualSpeeds, { trialMs: 0 }), applyMs);
  assert.ok(work.assignments.length > 0 && applyMs > 0);
});

test("a trial measures, whatever the counted speeds say, and leaves no tensor", async () => {
  const slow = { perNumber: 1e-6, perMultiply: 1e-6, assign: 1e-6, decompose: 1e-6 };
  await noLeaks(async () => {
    const [tried, counted] = [await timeApply(model, plan!, slow, { trialMs: 1e9 }),
      forecast(model.spec, plan!, { speeds: slow }).applyMs];
    assert.ok(tried > 0 && tried !== counted);
  });
});

test("where there is time for two recipes, the smallest and the largest are made and no other is read", async () => {
  const [two, one, three] = [[0, 1], [2], [3, 4, 5]];
  const wide = await create({ ...config, num_local_experts: 6 });
  const slots = [two, one, three].map((experts) => ({
    from: experts.map((expert) => ({ expert, weight: 1 / experts.length })),
  }));
  const plan: Plan = { version: 1, for: await wide.model.weights.fingerprint(), method: "by hand", options: {},
    layers: { [moeLayers(wide.model.spec)[0].id]: { slots, expertOf: [0, 0, 1, 2, 2, 2] } } };
  const read = new Set<number>();
  const weights = new Proxy(wide.model.weights, {
    get(source, key) {
      const value = Reflect.get(source, key, source);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (key === "read" || key === "values") read.add(Number(/experts\.(\d+)/.exec(String(args[0]))![1]));
        return value.apply(source, args);
      };
    },
  });
  const source = describe(wide.model.spec);
  // the expert that is handed out as it is comes matrix by matrix
  const [first, second, , , third] = worksOf(lower(wide.model.spec, plan).recipes, () => source).map(({ work }) =>
    timeOf(work, usualSpeeds)
  );
  assert.ok(second < first && first < third);
  const ms = await timeApply({ spec: wide.model.spec, weights }, plan, usualSpeeds, {
    trialMs: 3.1 * (second + third),
  });
  assert.equal([...read].sort(), [...one, ...three]);
  assert.ok(ms > 0);
});

test("a plan without new experts takes no time", async () => {
  assert.is(await timeApply(model, { ...plan!, layers: {} }, usualSpeeds), 0);
});

test.run();
