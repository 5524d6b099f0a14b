import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { cost } from "../../sdk/model/cost.js";
import { Model } from "../../sdk/model/model.js";
import type { RouterSpec } from "../../sdk/model/router-spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { forecast } from "../../sdk/plan/forecast.js";
import type { Plan, WeightPlan } from "../../sdk/plan/plan.js";
import { ready } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { fixture } from "../support/shared.js";

const test = suite("matrices in forms by plans");
await ready();
const router: RouterSpec = { kind: "softmax", topK: 2, normalize: true, scale: 1, bias: false, capacity: 0 };

async function logitsOf(model: Model): Promise<Float32Array> {
  const run = await model.forward({ ids: [[5, 9, 2, 31, 7, 64, 12, 3]] });
  const values = Float32Array.from(await run.logits.data());
  run.dispose();
  return values;
}

for (const name of ["mixtral", "gpt_oss"]) {
  test(`${name}: what begins as nothing changes nothing, is saved and opens again`, async () => {
    const opened = await openModel(fixture(`models/${name}`));
    const { model } = opened;
    const folder = mkdtempSync(join(tmpdir(), "moelab-forms-"));
    const adapted = { form: "adapted", adapters: 3, rank: 2, scale: 1, router } as const;
    const weights: Record<string, WeightPlan> = {
      "layers.0.attention.": { form: { form: "scaled", side: "in" } },
      "layers.0.attention.q": { form: adapted },
      "layers.1.experts.": { form: { form: "scaled", side: "out" } },
      "layers.1.experts.0.": { form: adapted },
      "layers.1.attention.o": { form: { form: "low-rank-sparse", rank: 4, rows: 5 }, fit: { by: "svd" },
        format: { kind: "grouped", bits: 8, group: 0, zero: "none", scales: "F32" } },
    };
    const plan: Plan = { version: 2, for: await model.weights.fingerprint(), method: "test", options: {}, layers: {},
      weights };
    const made = await applyPlan(model, plan);
    const said = forecast(model.spec, plan, { weights: model.weights });
    assert.is(said.parameters.after, cost(made.spec).parameters.total);
    assert.is(said.sizeBytes.after, [...made.weights.names()].reduce((sum, tensor) =>
      sum + made.weights.info(tensor).sizeBytes, 0));
    assert.equal(made.weights.info("layers.1.attention.o.u").format?.kind, "grouped");
    const changed = new Model("changed", made.spec, made.weights);
    const logits = await logitsOf(changed);
    const { "layers.1.attention.o": _, ...nothing } = weights;
    const still = await applyPlan(model, { ...plan, weights: nothing });
    const unchanged = new Model("unchanged", still.spec, still.weights);
    close(await logitsOf(unchanged), await logitsOf(model), 1e-5, "nothing");
    assert.ok((await logitsOf(model)).some((value, at) => Math.abs(value - logits[at]) > 1e-4),
      "factors change nothing");
    await saveModel(join(folder, "saved"), changed, { config: opened.config, family: opened.family,
      original: opened.store, filesFrom: opened.folder });
    const again = await openModel(join(folder, "saved"));
    assert.equal(again.model.spec.decoder.layers, JSON.parse(JSON.stringify(made.spec.decoder.layers)));
    close(await logitsOf(again.model), logits, 1e-5, "opened again");
    for (const one of [again.model, changed, unchanged, model]) await one.dispose();
    rmSync(folder, { recursive: true });
  });
}

test("what cannot be is named", async () => {
  const { model } = await openModel(fixture("models/mixtral"));
  const refused = async (weights: Record<string, WeightPlan>) => {
    try {
      await applyPlan(model, { version: 2, for: await model.weights.fingerprint(), method: "test", options: {},
        layers: {}, weights });
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("accepted");
  };
  const factors = { form: "low-rank-sparse", rank: 2, rows: 0 } as const;
  assert.match(await refused({ "layers.0.attention.q": { form: factors } }), /nothing says how/);
  assert.match(await refused({ "layers.0.router": { form: factors, fit: { by: "svd" } } }), /no form of its own/);
  assert.match(await refused({ "layers.0.attention.q": { form: { form: "scald" } as never } }), /scald/);
  await model.dispose();
});

test.run();
