import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dynamicMoe } from "../../sdk/architectures/dynamic-moe.js";
import type { MoeRecord } from "../../sdk/model/pass.js";
import type { RouterSpec } from "../../sdk/model/router-spec.js";
import { pick } from "../../sdk/model/router/choose/pick.js";
import { withExperts } from "../../sdk/model/with-experts.js";
import { tf } from "../../sdk/tensor/index.js";
import { routerLoss } from "../../sdk/train/objectives/router-loss.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { nanoMoe } from "../support/nano-moe.js";
import { blockOf, byExpert, near, numbers, oracleCases, runBlock, tensorOf } from "../support/oracle-layer.js";

const cases = (await oracleCases("dynamic-moe"))?.cases ?? [];
const of = (start: string) => cases.filter(({ name }) => name.startsWith(start));

for (const backend of testedBackends) {
  const test = suite(`Dynamic-MoE with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of [...of("top_p"), ...of("edge_p")]) {
    test(`${one.name}: how many, which and at what gate`, () =>
      tf.tidy(() => {
        const { shape } = numbers(one.inputs.probabilities), N = shape.at(-1)!;
        const router = { topK: N, choose: { kind: "top-p", p: one.params.p } } as RouterSpec;
        const { choice, values } = pick(tensorOf(one.inputs.probabilities, [-1, N]), router, {} as never);
        const there = tf.cast(tf.greaterEqual(choice, 0), "float32");
        near(tf.sum(there, 1), one.outputs.experts_per_token, 0, "experts per token");
        near(values, one.outputs.sorted_gates, 1e-6, "gates, best first");
        if (one.outputs.selected) near(byExpert(choice, there, N), one.outputs.selected, 0, "selected");
        if (one.outputs.gates) near(byExpert(choice, values, N), one.outputs.gates, 1e-6, "gates");
      }));
  }

  for (const one of of("layer_")) {
    test(`${one.name}: the released layer and its gradients`, () =>
      tf.tidy(() => {
        const { params, inputs, weights: w, outputs } = one;
        const D = numbers(inputs.x).shape[2], N = params.experts;
        const spec = blockOf(dynamicMoe({ experts: N, p: params.p }).experts, { width: numbers(w.up_proj).shape[1] });
        const run = (x: tf.Tensor, router: tf.Tensor, gate: tf.Tensor) =>
          runBlock(spec, { router, "bank.0.gate": gate, "bank.0.up": tensorOf(w.up_proj),
            "bank.0.down": tensorOf(w.down_proj) }, x);
        const given = [tensorOf(inputs.x, [-1, D]), tensorOf(w.router), tensorOf(w.gate_proj)] as const;
        const { y, record, selected, gates } = run(...given);
        near(tf.softmax(record.logits), outputs.probabilities, 2e-5, "probabilities");
        near(selected, outputs.selected, 0, "selected");
        near(gates, outputs.gates, 2e-5, "gates");
        near(tf.sum(selected, 0), outputs.tokens_per_expert, 0, "tokens of each expert");
        near(y, outputs.y, 2e-5, "y");
        const cotangent = tensorOf(inputs.cotangent, [-1, D]);
        const gradients = tf.grads((...all) => tf.sum(tf.mul(run(...all as never as typeof given).y, cotangent)))([
          ...given,
        ]);
        ["x", "router", "gate_proj"].forEach((name, i) => near(gradients[i], outputs.gradients[name], 3e-4, name));
      }));
  }

  for (const one of of("losses_")) {
    test(`${one.name}: both losses and their gradients`, () =>
      tf.tidy(() => {
        const { params: { p, alpha, beta }, inputs, outputs } = one;
        const { shape: [, N] } = numbers(inputs.logits);
        const recipe = dynamicMoe({ experts: N, p, balance: alpha, entropy: beta });
        const zeros = { "bank.0.up": tf.zeros([N, 1, N]), "bank.0.gate": tf.zeros([N, 1, N]),
          "bank.0.down": tf.zeros([N, N, 1]) };
        const { record, selected } = runBlock(blockOf(recipe.experts, { width: 1 }), { router: tf.eye(N), ...zeros },
          tensorOf(inputs.logits));
        near(selected, outputs.selected, 0, "selected");
        const found = recipe.train.losses!.map((loss) =>
          tf.valueAndGrad((logits: tf.Tensor) => routerLoss({ ...record, logits } as MoeRecord, loss) as tf.Scalar)(
            record.logits,
          )
        );
        near(found[0].value, [outputs.balance], 1e-5, "balance");
        near(found[0].grad, outputs.gradient_balance, 3e-4, "gradient of balance");
        near(found[1].value, [outputs.dynamic], 1e-5, "entropy");
        // of equal probabilities it is 0, and rounding is all there is
        const flat = Math.max(...numbers(outputs.gradient_dynamic).values.map(Math.abs)) < 1e-9;
        if (!flat) near(found[1].grad, outputs.gradient_dynamic, 3e-4, "gradient of entropy");
        const total = recipe.train.losses!.reduce(
          (sum, { weight }, i) => sum + (weight as number) * found[i].value.dataSync()[0],
          0,
        );
        assert.ok(Math.abs(total - outputs.total) < 1e-5 * outputs.total);
      }));
  }

  test.run();
}

const test = suite("Dynamic-MoE");
for (const one of of("placement")) {
  test("placement: every so many layers the first has experts", () => {
    for (const { expert_frequency: every, layers, moe } of one.outputs) {
      const { spec } = nanoMoe({ layers });
      for (const layer of spec.decoder.layers)
        layer.ffn = { kind: "dense", width: 4, gated: true, bias: false, activation: "silu" };
      const { decoder } = withExperts(spec, dynamicMoe({ experts: 2, every }).experts);
      const kinds = decoder.layers.map(({ ffn }) => ffn?.kind === "moe");
      assert.equal(kinds.flatMap((is, layer) => (is ? [layer] : [])), moe);
    }
  });
}
test.run();
