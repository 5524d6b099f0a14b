import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { freeExperts } from "../../sdk/model/expert/free-experts.js";
import { Model } from "../../sdk/model/model.js";
import type { ExpertSpec, MoeFfnSpec } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { Plan } from "../../sdk/plan/plan.js";
import { tf } from "../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { close } from "../support/close.js";
import { gradientCheck, randomTensor, tensorClose } from "../support/gradient-check.js";
import { nanoMoe } from "../support/nano-moe.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const free: ExpertSpec[] = [{ form: "dense", width: 3 }, { form: "copy", width: 0 }, { form: "constant", width: 0 }, {
  form: "zero",
  width: 0,
}, { form: "constant", width: 0, blend: true }];
const spec = { ...(nanoMoe({ experts: 5 }).spec.decoder.layers[0].ffn as MoeFfnSpec), slots: free };
const batch = { ids: [[5, 9, 2, 31, 7, 64]] };

for (const backend of testedBackends) {
  const test = suite(`free experts with ${backend}`);
  test.before(() => useBackend(backend));

  const [D, N] = [4, 3];
  // each token takes two of: copy and constant; dense and zero; constant with a share of x, nothing
  const routing = () => ({ choice: tf.tensor2d([1, 2, 0, 3, 4, -1], [N, 2], "int32"),
    gates: tf.tensor2d([0.25, 0.5, 0.75, 0.5, 2, 9], [N, 2]) });
  const added = (x: tf.Tensor, v: tf.Tensor, w: tf.Tensor, blend: tf.Tensor) =>
    freeExperts(x, routing(), spec,
      new Map([["experts.2.value", v], ["experts.4.value", w], ["experts.4.blend", blend]]))!;

  test("a copy adds its gate's share of x, a constant of its vector, zero nothing, a blend both", () => {
    tf.tidy(() => {
      const [x, v, w] = [randomTensor([N, D]), randomTensor([D], 2), randomTensor([D], 3)];
      const blend = tf.tensor2d([[0, 0, 0, 0], [0, 0, 0, 0]]);
      const [first, , third] = tf.unstack(x);
      tensorClose(added(x, v, w, blend),
        tf.stack([tf.add(tf.mul(first, 0.25), tf.mul(v, 0.5)), tf.zeros([D]), tf.add(third, w)]), 1e-6);
    });
  });

  test("gradients reach inputs, vectors and blends", async () => {
    const inputs = [randomTensor([N, D]), randomTensor([D], 2), randomTensor([D], 3), randomTensor([2, D], 4)];
    await gradientCheck((x, v, w, blend) => added(x, v, w, blend), inputs);
    tf.dispose(inputs);
  });

  test("a layer whose experts are all copies doubles what it reads; all zeros, the residual stream alone", async () => {
    const { model } = await openModel(fixture("models/mixtral"));
    const outputs = async (form: "copy" | "zero") => {
      const slots = [{ from: [{ expert: 0, weight: 1 }], form: { form } }];
      const expertOf = new Array<number>(moe(model.spec.decoder.layers[0].ffn).experts).fill(0);
      const { spec, weights } = await applyPlan(model, await planOf(model, { "layers.0": { slots, expertOf } }));
      const changed = new Model("changed", spec, weights);
      const [inputs, outputs]: Float32Array[][] = [[], []];
      await changed.sweep([batch], { sites: ["moe"], async onSite(seen) {
        if (seen.site !== "moe" || seen.layer !== "layers.0") return;
        inputs.push(Float32Array.from(await seen.input.data()));
        outputs.push(Float32Array.from(await seen.output.data()));
      } });
      await changed.dispose();
      return [inputs[0], outputs[0]];
    };
    const [input, output] = await outputs("copy");
    close(output, input, 1e-5, "copies with gates that sum to 1");
    const [, nothing] = await outputs("zero");
    assert.ok(nothing.every((value) => value === 0));
    await model.dispose();
  });

  test("planned constants are saved, opened, run larger than memory and shown one by one", async () => {
    const opened = await openModel(fixture("models/mixtral"));
    const { spec: { width: D }, spec: { decoder } } = opened.model;
    const E = moe(decoder.layers[0].ffn).experts;
    const value = Array.from({ length: D }, (_, d) => Math.sin(d));
    const slots = Array.from({ length: E },
      (_, expert) => ({ from: [{ expert, weight: 1 }],
        ...(expert % 2 && { form: { form: "constant" as const, value } }) }));
    const { spec, weights } = await applyPlan(opened.model, await planOf(opened.model, { "layers.1": { slots } }));
    const changed = new Model("changed", spec, weights);
    const folder = join(mkdtempSync(join(tmpdir(), "moelab-free-")), "model");
    await saveModel(folder, changed, { config: opened.config, family: opened.family, original: opened.store });
    const [whole, again] = [await logitsOf(changed), await openModel(folder)];
    close(await logitsOf(again.model), whole, 1e-6, "reopened");
    const small = new Model("small", spec, weights, { memory: 1000 });
    let shown = 0;
    await small.sweep([batch], { sites: ["moe"], experts: "loaded", async onSite(seen) {
      if (seen.site !== "moe" || seen.layer !== "layers.1") return;
      await seen.experts!.load([1]);
      const own = tf.tidy(() => seen.experts!.expert(1).run(seen.input));
      close((await own.data()).slice(0, D) as Float32Array, Float32Array.from(value), 1e-6, "constant");
      own.dispose();
      shown++;
    } });
    close(await logitsOf(small), whole, 1e-5, "larger than memory");
    assert.is(shown, 1);
    const refused = await rejects(saveModel(`${folder}-2`, changed, { config: opened.config, layout: "expanded" }));
    assert.match(refused.message, /form "constant"/);
    for (const each of [small, again.model, changed, opened.model]) await each.dispose();
    rmSync(folder, { recursive: true });
  });

  test.run();
}

async function planOf(model: Model, layers: Plan["layers"]): Promise<Plan> {
  return { version: 2, for: await model.weights.fingerprint(), method: "test", options: {}, layers };
}

const moe = (ffn: unknown) => ffn as MoeFfnSpec;

async function logitsOf(model: Model): Promise<Float32Array> {
  const run = await model.forward(batch);
  const values = Float32Array.from(await run.logits.data());
  run.dispose();
  return values;
}
