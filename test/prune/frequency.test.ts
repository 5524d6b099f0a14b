import { test } from "uvu";
import * as assert from "uvu/assert";
import { planWith } from "../../sdk/methods.js";
import { Model } from "../../sdk/model/model.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { frequency } from "../../sdk/prune/frequency.js";
import { useBackend } from "../support/backends.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";

test.before(() => useBackend("wasm"));

test("a layer that is left with one expert lets a token of a top-2 router take that one alone", async () => {
  const { spec, weights } = nanoMoe({ experts: 4, topK: 2 });
  // 20 tokens of two choices each; the first layer's leader is far ahead, so adaptive ratios leave it alone
  const profile = await nanoProfile({ spec, weights }, 1,
    (layer) => ({ tokens: 20, counts: layer === 0 ? [37, 1, 1, 1] : [12, 11, 9, 8] }));
  const plan = await planWith(frequency, profile, { keep: 2 });
  assert.equal(plan.layers["layers.0"].slots!.length, 1);
  assert.is(plan.layers["layers.0"].router!.topK, 1);
  assert.equal([plan.layers["layers.1"].slots!.length, plan.layers["layers.1"].router!.topK], [3, undefined]);
  const pruned = await applyPlan({ spec, weights }, plan);
  const model = new Model("pruned", pruned.spec, pruned.weights);
  const { logits } = await model.forward({ ids: [[1, 2, 3]] });
  assert.is(logits.shape[2], spec.vocab);
  logits.dispose();
  await model.dispose();
});

test.run();
