import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { singleExpert } from "../../sdk/model/expert/moe-block.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { fixture } from "../support/shared.js";

const test = suite("single expert");
await ready();

// gated and plain, with biases, with gpt-oss's unit in place of a gate
for (const name of ["mixtral", "gpt_oss", "jetmoe", "dbrx", "granitemoe"]) {
  test(`${name}: what a layer adds is the sum of its experts one by one`, async () => {
    const { model } = await openModel(fixture(`models/${name}`));
    let layers = 0;
    await model.sweep([{ ids: [[5, 9, 2, 31, 7, 64]] }], {
      experts: true,
      sites: ["moe"],
      async onSite(seen) {
        if (seen.site !== "moe") return;
        const { spec, weights, input, choice, gates, output } = seen;
        layers++;
        if (spec.router.outputScale !== undefined || spec.outputBias) return;
        const expected = tf.tidy(() => {
          const all = tf.stack(spec.expertOf.map((slot) => singleExpert(slot, spec, weights).run(input)), 1);
          const share = tf.sum(tf.mul(tf.oneHot(tf.cast(choice, "int32"), spec.experts), tf.expandDims(gates, -1)), 1);
          return tf.sum(tf.mul(all, tf.expandDims(share, -1)), 1);
        });
        close((await output.data()) as Float32Array, (await expected.data()) as Float32Array, 1e-4, name);
        expected.dispose();
      },
    });
    assert.ok(layers > 0);
    await model.dispose();
  });
}

test.run();
