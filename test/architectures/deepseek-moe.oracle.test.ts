import { suite } from "uvu";
import * as assert from "uvu/assert";
import { deepseekMoe, type DeepseekMoeOptions } from "../../sdk/architectures/deepseek-moe.js";
import type { MoeRecord } from "../../sdk/model/pass.js";
import { tf } from "../../sdk/tensor/index.js";
import { balanceLoss } from "../../sdk/train/objectives/balance.js";
import { deviceBalanceLoss } from "../../sdk/train/objectives/device-balance.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { blockOf, type Case, near, numbers, oracleCases, runBlock, tensorOf } from "../support/oracle-layer.js";

const cases = (await oracleCases("deepseekmoe"))?.cases ?? [];
const of = (start: string) => cases.filter(({ name }) => name.startsWith(start));
const named = (name: string) => cases.filter((one) => one.name === name);
const rows = (value: unknown) => tensorOf(value, [-1, numbers(value).shape.at(-1)!]);

/** What the router of the paper, with the flags of the released code, makes of a block's options. */
function blockFor({ params: p, weights: w }: Case, width = 1) {
  const recipe = deepseekMoe({ experts: numbers(w.gate).shape[0], topK: p.K, width, normalize: p.norm_topk_prob });
  const spec = blockOf(recipe.experts, { width });
  // a factor, or gates of sum 1; of one expert the factor alone
  if (p.K === 1) spec.router.normalize = false;
  if (!spec.router.normalize) spec.router.scale = p.routed_scaling_factor ?? 1;
  if (p.n_group) spec.router.groups = { count: p.n_group, keep: p.topk_group, rank: "best" };
  return spec;
}

function empty(E: number, D: number): Record<string, tf.Tensor> {
  return { "bank.0.up": tf.zeros([E, 1, D]), "bank.0.gate": tf.zeros([E, 1, D]), "bank.0.down": tf.zeros([E, D, 1]) };
}

for (const backend of testedBackends) {
  const test = suite(`DeepSeekMoE with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of of("gate_")) {
    test(`${one.name}: scores, gates and who is chosen`, () =>
      tf.tidy(() => {
        const { shape: [E, D] } = numbers(one.weights.gate);
        const { record, gates, selected } = runBlock(blockFor(one), { router: tensorOf(one.weights.gate),
          ...empty(E, D) }, rows(one.inputs.x));
        near(tf.softmax(record.logits), one.outputs.scores, 2e-5, "scores");
        near(selected, one.outputs.selected, 0, "selected");
        near(gates, one.outputs.gates, 2e-5, "gates");
      }));
  }

  for (const one of of("balance_loss")) {
    test(`${one.name}: the released loss and its gradients`, () =>
      tf.tidy(() => {
        const { params: { alpha, seq_aux }, inputs, weights: w, outputs } = one;
        const { shape: [E, D] } = numbers(w.gate), [B, T] = numbers(inputs.x).shape;
        const loss = (x: tf.Tensor, router: tf.Tensor) =>
          tf.mul(balanceLoss(runBlock(blockFor(one), { router, ...empty(E, D) }, x, { B, T }).record, {
            per: seq_aux ? "sequence" : "batch",
          }), alpha) as tf.Scalar;
        const { value, grads: [dx, dgate] } = tf.valueAndGrads(loss as never)([rows(inputs.x), tensorOf(w.gate)]);
        near(value, outputs.loss, 1e-5, "loss");
        if (!outputs.gradients) return;
        near(dx, outputs.gradients.x, 2e-4, "gradient of x");
        near(dgate, outputs.gradients.gate, 2e-4, "gradient of the router");
      }));
  }

  for (const one of of("layer_")) {
    test(`${one.name}: the released block and its gradients`, () =>
      tf.tidy(() => {
        const { params: p, inputs, weights: w, outputs } = one;
        const [B, T] = numbers(inputs.x).shape, width = numbers(w.up_proj).shape[1];
        const options: DeepseekMoeOptions = { experts: p.experts + p.shared, topK: p.K + p.shared, width,
          shared: p.shared, normalize: p.norm_topk_prob, balance: p.aux_loss_alpha,
          per: p.seq_aux ? "sequence" : "batch" };
        const spec = blockOf(deepseekMoe(options).experts, { width });
        assert.equal([spec.experts, spec.router.topK], [p.experts, p.K]);
        const shared: Record<string, tf.Tensor> = p.shared
          ? { "shared.gate": tensorOf(w.shared_gate_proj), "shared.up": tensorOf(w.shared_up_proj),
            "shared.down": tensorOf(w.shared_down_proj) }
          : {};
        const cotangent = rows(inputs.cotangent);
        const run = (x: tf.Tensor, router: tf.Tensor, down: tf.Tensor) =>
          runBlock(spec, { router, "bank.0.gate": tensorOf(w.gate_proj), "bank.0.up": tensorOf(w.up_proj),
            "bank.0.down": down, ...shared }, x, { B, T });
        const given = [rows(inputs.x), tensorOf(w.gate), tensorOf(w.down_proj)] as const;
        const { y, record, gates, selected } = run(...given);
        near(gates, outputs.gates, 2e-5, "gates");
        near(selected, outputs.selected, 0, "selected");
        near(y, outputs.y, 2e-5, "y");
        const [{ weight, ...how }] = deepseekMoe(options).train.losses!;
        const balance = (of: MoeRecord) => tf.mul(balanceLoss(of, how as never), weight as number) as tf.Scalar;
        if (p.training) near(balance(record), outputs.balance_loss, 1e-5, "balance loss");
        const gradients = tf.grads((...all) => {
          const { y, record } = run(...all as never as typeof given);
          const sum = tf.sum(tf.mul(y, cotangent));
          return p.training ? tf.add(sum, balance(record)) : sum;
        })([...given]);
        near(gradients[0], outputs.gradients.x, 2e-4, "gradient of x");
        near(gradients[1], outputs.gradients.gate, 2e-4, "gradient of the router");
        near(tf.slice(gradients[2], [0, 0, 0], [1, -1, -1]), outputs.gradients.expert0_down, 2e-4,
          "gradient of expert 0");
      }));
  }

  for (const one of of("paper_losses")) {
    test(`${one.name}: equations 12 to 17`, () =>
      tf.tidy(() => {
        const { params: { K, experts: E, groups }, inputs, outputs } = one;
        const { record } = runBlock(blockOf(deepseekMoe({ experts: E, topK: K, width: 1 }).experts, { width: 1 }), {
          router: tf.eye(E),
          ...empty(E, E),
        }, tensorOf(inputs.logits));
        for (const [kind, loss] of [["expert", balanceLoss], ["device", (of: MoeRecord) =>
          deviceBalanceLoss(of, { groups })]] as const) {
          const { value, grad } = tf.valueAndGrad((logits: tf.Tensor) =>
            loss({ ...record, logits } as MoeRecord) as tf.Scalar
          )(record.logits);
          near(value, [outputs[`${kind}_loss`]], 1e-5, kind);
          const expected = numbers(outputs[`gradient_${kind}_loss`]);
          const flat = Math.max(...expected.values.map(Math.abs)) < 1e-9;
          if (!flat) near(grad, expected, 3e-4, `gradient of ${kind}`);
        }
      }));
  }

  for (const one of named("segmentation")) {
    test("segmentation: the sum of the pieces is the whole expert", () =>
      tf.tidy(() => {
        const { params: { m }, inputs, weights: w, outputs } = one;
        const [f, D] = numbers(w.up_proj).shape;
        const recipe = deepseekMoe({ experts: 1, topK: 1, width: f, pieces: m });
        const spec = blockOf(recipe.experts, { width: f });
        spec.router.kind = "one";
        const cut = (name: string) => tf.reshape(tensorOf(w[name]), [m, f / m, D]);
        const down = tf.transpose(tf.reshape(tensorOf(w.down_proj), [D, m, f / m]), [1, 0, 2]);
        const { y } = runBlock(spec, { router: tf.zeros([m, D]), "bank.0.gate": cut("gate_proj"),
          "bank.0.up": cut("up_proj"), "bank.0.down": down }, tensorOf(inputs.x));
        near(y, outputs.whole, 1e-5, "whole");
      }));
  }

  for (const one of named("mask_top_routed")) {
    test("mask_top_routed: the best of each token are left out, gates stay as they were", () =>
      tf.tidy(() => {
        const { params: { r, K }, inputs, outputs } = one;
        const { shape: [, E] } = numbers(inputs.logits);
        const spec = blockOf({ experts: [{ count: E }], router: { topK: K, choose: { kind: "top", skip: r } } }, {
          width: 1,
        });
        const { gates, selected } = runBlock(spec, { router: tf.eye(E), ...empty(E, E) }, tensorOf(inputs.logits));
        near(selected, outputs.selected, 0, "selected");
        near(gates, outputs.gates, 1e-5, "gates");
      }));
  }

  test.run();
}

const test = suite("DeepSeekMoE");
for (const one of named("counts")) {
  test("counts: how many are routed, and how many of them are active", () => {
    for (const { N, K, m, shared, routed, active_routed } of one.outputs) {
      const { experts: [{ count }], router } =
        deepseekMoe({ experts: N, topK: K, width: 64, pieces: m, shared }).experts;
      assert.equal([count, router!.topK], [routed, active_routed]);
    }
  });
}
test("as many shared pieces as active ones are refused", () => {
  assert.throws(() => deepseekMoe({ experts: 8, topK: 1, width: 8, pieces: 2, shared: 2 }), /leave 0 that are chosen/);
});
test.run();
