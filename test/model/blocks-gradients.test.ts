import { test } from "uvu";
import * as assert from "uvu/assert";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { readConfig } from "../../sdk/checkpoint/read-config.js";
import { initialize } from "../../sdk/model/initialize.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { fixture } from "../support/shared.js";
import { noLeaks } from "../support/tensors.js";

await ready();

// one family for each kind of block, router and norm place
for (const name of ["gpt_oss", "deepseek_v3", "llama4_text", "minimax", "qwen3_next", "jetmoe", "lfm2_moe", "jamba",
  "phimoe", "bert", "qwen3_5_moe", "granitemoehybrid", "nemotron_h"]) {
  test(`${name}: every weight that a token meets has a gradient, and it lowers the loss`, () =>
    noLeaks(async () => {
      const spec = await specFromConfig(await readConfig(fixture(`models/${name}`)));
      const model = await Trainable.from(spec, initialize(spec, new Rng(7)));
      const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37) % 90);
      const rows = { decoder: { B: 2, T: 12, ids } };
      const loss = () =>
        tf.tidy(() => {
          const chosen = tf.oneHot(tf.tensor1d(ids, "int32"), spec.vocab);
          return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(model.logits(rows) as never), chosen), -1))) as ReturnType<
            typeof tf.scalar
          >;
        });
      const variables = model.variables();
      const { value, grads } = tf.variableGrads(loss, variables.map(({ variable }) => variable));
      const slope = tf.tidy(() =>
        tf.addN(Object.values(grads).filter(Boolean).map((grad) => tf.sum(tf.square(grad)))).dataSync()[0]
      );
      assert.ok(Number.isFinite(slope) && slope > 0, `squared slope ${slope}`);
      // what only chooses has no gradient, and a sparsemixer gate without near rivals is 1
      const flat = /choiceBias$|tokenType$/, lone = name === "phimoe" ? /\.router$/ : /^$/;
      const still = variables.filter(({ variable }) =>
        !grads[variable.name] || tf.tidy(() => tf.max(tf.abs(grads[variable.name])).dataSync()[0]) === 0
      ).map((entry) => entry.name);
      assert.equal(still.filter((weight) => !flat.test(weight) && !lone.test(weight)), []);
      // along the gradient the loss falls by step x squared slope, to first order
      const step = 1e-3 / Math.sqrt(slope);
      for (const { variable } of variables.filter((entry) => grads[entry.variable.name])) {
        const moved = tf.tidy(() => tf.sub(variable, tf.mul(grads[variable.name], step)));
        variable.assign(moved as never);
        moved.dispose();
      }
      const after = loss();
      const fall = value.dataSync()[0] - after.dataSync()[0];
      assert.ok(Math.abs(fall - step * slope) < 0.2 * step * slope,
        `the loss fell by ${fall}, its slope says ${step * slope}`);
      tf.dispose([value, after, ...Object.values(grads).filter(Boolean)]);
      model.dispose();
    }));
}

test.run();
