import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moec } from "../../sdk/architectures/moec.js";
import type { MoeRecord } from "../../sdk/model/pass.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { withExperts } from "../../sdk/model/with-experts.js";
import { tf } from "../../sdk/tensor/index.js";
import { clusterLoss, type ClusterOptions } from "../../sdk/train/objectives/cluster.js";
import { clusterDropout, survivorCount } from "../../sdk/train/rules/cluster-dropout.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { nanoMoe } from "../support/nano-moe.js";
import { blockOf, type Case, near, numbers, oracleCases, runBlock, tensorOf } from "../support/oracle-layer.js";

const cases = (await oracleCases("moec"))?.cases ?? [];
const of = (start: string) => cases.filter(({ name }) => name.startsWith(start));
const WITHIN: Record<number, ClusterOptions["within"]> = { 0: "all", 1: "clusters", 2: "gap" };

/** A block whose experts give nothing, with the router of a case. */
function routed(
  x: tf.Tensor,
  w: Case["weights"],
  temperature: number,
  masked?: number[],
  own: Record<string, tf.Tensor> = {},
) {
  const [N, r] = numbers(w.centroids).shape, D = x.shape[1]!;
  const spec = blockOf(moec({ experts: N, width: 1, clusters: 1, routerWidth: r }).experts, { width: 1 });
  spec.router.masked = masked;
  return runBlock(spec, { router: tensorOf(w.centroids), "router.hidden": tensorOf(w.reduction),
    "router.temperature": tf.tensor1d([temperature]), "bank.0.up": tf.zeros([N, 1, D]),
    "bank.0.gate": tf.zeros([N, 1, D]), "bank.0.down": tf.zeros([N, D, 1]), ...own }, x);
}

/** The record of a layer whose cosines these are. */
function scored(scores: unknown): MoeRecord {
  const { shape: [, N] } = numbers(scores);
  const spec = blockOf({ experts: [{ count: N }] }, { width: 1 });
  return { spec, logits: tensorOf(scores), weights: new Map() } as never;
}

for (const backend of testedBackends) {
  const test = suite(`MoEC with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of of("gate_temperature")) {
    test(`${one.name}: cosines, the expert, its gate`, () =>
      tf.tidy(() => {
        const { params: { temperature: t, temperature_floor }, inputs, weights: w, outputs } = one;
        const { record, y } = routed(tensorOf(inputs.x), w, t);
        near(tf.mul(record.logits, Math.max(t, temperature_floor)), outputs.scores, 3e-5, "scores");
        // where the sigmoid saturates the released choice is another; ours is the best cosine
        near(record.choice, outputs.argmax_of_scores, 0, "choice");
        const clear = (outputs.tie_at_top as number[]).map((tie) => 1 - tie);
        near(tf.mul(tf.squeeze(record.gates), tf.tensor1d(clear)), (outputs.alpha as number[]).map((a, i) =>
          a * clear[i]
        ), t < 1e-5 ? 2e-4 : 3e-5, "gates");
        // experts that give nothing leave (1 - gate) x
        near(y, tf.mul(tensorOf(inputs.x), tf.sub(1, record.gates)).arraySync(), 1e-5, "what passes");
      }));
  }

  for (const one of of("loss_").filter(({ params }) => params.coef_type in WITHIN)) {
    test(`${one.name}: the released loss and its gradient`, () =>
      tf.tidy(() => {
        const { params: { coef_type, clusters, mu, fixed_temperature }, inputs, outputs } = one;
        if (outputs.loss[0] === "NaN") return; // a cluster of one has no variance
        const record = scored(inputs.scores);
        const { value, grad } = tf.valueAndGrad((logits: tf.Tensor) =>
          clusterLoss({ ...record, logits } as MoeRecord, { clusters, mu, within: WITHIN[coef_type],
            temperature: fixed_temperature }) as tf.Scalar
        )(record.logits);
        near(value, outputs.loss, 1e-5, "loss");
        near(grad, outputs.gradient_scores, 5e-4, "gradient");
      }));
  }

  for (const one of of("gate_survivors")) {
    test(`${one.name}: those that are left out take no part in choice and loss`, () =>
      tf.tidy(() => {
        const { params: { survivors, clusters, mu, coef_type }, inputs, weights: w, outputs } = one;
        const N = numbers(w.centroids).shape[0];
        const masked = Array.from({ length: N }, (_, e) => e).filter((e) => !survivors.includes(e));
        const run = (x: tf.Tensor, reduction: tf.Tensor, centroids: tf.Tensor) =>
          routed(x, w, 0.07, masked, { router: centroids, "router.hidden": reduction }).record;
        const given = [tensorOf(inputs.x), tensorOf(w.reduction), tensorOf(w.centroids)] as const;
        near(run(...given).choice, outputs.expert, 0, "expert");
        const { value, grads } = tf.valueAndGrads((...all) =>
          clusterLoss(run(...all as never as typeof given), { clusters, mu, within: WITHIN[coef_type] }) as tf.Scalar
        )([...given]);
        near(value, outputs.loss, 1e-5, "loss");
        ["x", "reduction", "centroids"].forEach((name, i) => near(grads[i], outputs.gradients[name], 5e-4, name));
      }));
  }

  test.run();
}

const test = suite("MoEC");
for (const one of of("survivor_counts")) {
  test("survivor_counts: the released rounding", () => {
    for (const { rate, experts, kept } of one.outputs)
      if (rate !== undefined) assert.is(survivorCount(rate, experts), kept);
  });
}
test("cluster dropout keeps as many in every cluster, and draws anew after its interval", () => {
  const spec = withExperts(nanoMoe({ layers: 2 }).spec, moec({ experts: 8, clusters: 2 }).experts);
  const rule = clusterDropout({ rate: 0.5, clusters: 2, interval: 3, seed: 1 });
  const masks = Array.from({ length: 6 },
    (_, at) => moeLayers(rule.before(at + 1, 6, spec)).map(({ ffn }) => ffn.router.masked!));
  for (const layers of masks) {
    for (const masked of layers) assert.is(masked.filter((e) => e < 4).length, 2);
    for (const masked of layers) assert.is(masked.length, 4);
  }
  assert.equal([masks[0], masks[3]], [masks[2], masks[5]]);
  assert.not.equal(masks[0], masks[3]);
  assert.throws(() => clusterDropout({ rate: 0.9, clusters: 4 }).before(1, 1, spec), /leaves one/);
});
test.run();
