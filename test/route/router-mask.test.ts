import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RouterSpec } from "../../sdk/model/router-spec.js";
import { route } from "../../sdk/model/router/route.js";
import { ready, tf } from "../../sdk/tensor/index.js";

const test = suite("masks of a router");
await ready();

const router: RouterSpec = { kind: "softmax", topK: 1, normalize: false, scale: 1, bias: false, capacity: 0 };
async function chosen(spec: RouterSpec, logits: number[][]): Promise<number[]> {
  const choice = tf.tidy(() =>
    route(tf.tensor2d(logits), spec, { B: 1, T: logits.length, offset: 0, capacity: false }).choice
  );
  const values = Array.from(await choice.data());
  choice.dispose();
  return values;
}

test("additive: a masked expert is never chosen", async () => {
  assert.equal(await chosen({ ...router, masked: [1, 2] }, [[0.1, 5, 0], [-3, -1, -2]]), [0, 0]);
});

test("released product: a masked expert with a negative logit wins, one with a positive logit loses", async () => {
  const spec: RouterSpec = { ...router, masked: [1, 2], maskBy: "released-product" };
  assert.equal(await chosen(spec, [[0.1, 5, 3], [4, -1, -2], [4, -1, 7]]), [0, 2, 1]);
});

test.run();
