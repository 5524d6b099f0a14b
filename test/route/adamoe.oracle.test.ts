import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planWith } from "../../sdk/methods.js";
import type { MoeRecord } from "../../sdk/model/pass.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { adamoe, adamoeLosses } from "../../sdk/route/adamoe.js";
import { tf } from "../../sdk/tensor/index.js";
import { balanceLoss } from "../../sdk/train/objectives/balance.js";
import { atStep } from "../../sdk/train/over-steps.js";
import { paidExperts } from "../../sdk/train/paid-experts.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";
import { blockOf, byExpert, type Case, near, numbers, oracleCases, runBlock,
  tensorOf } from "../support/oracle-layer.js";

const found = await oracleCases("adamoe");
if (!found) console.log("skip: the oracle adamoe is not there");
const cases = found?.cases ?? [];
const of = (start: string) => cases.filter(({ name }) => name.startsWith(start));

const options = ({ n, m, k }: Case["params"]) => ({ experts: [{ count: n }, { form: "zero" as const, count: m }],
  router: { topK: k, normalize: "nonzero" as const } });

/** the record of a layer that routed these logits */
function recordOf({ params, inputs }: Case): MoeRecord {
  const { shape: [N, E], values } = numbers(inputs.logits);
  const spec = blockOf(options(params), { width: 1 });
  // the router is the identity
  const real = inputs.mask && Uint8Array.from(inputs.mask);
  const bank = { "bank.0.up": tf.zeros([params.n, 1, E]), "bank.0.gate": tf.zeros([params.n, 1, E]),
    "bank.0.down": tf.zeros([params.n, E, 1]) };
  return runBlock(spec, { router: tf.eye(E), ...bank }, tf.tensor2d(values, [N, E]), { real }).record;
}

for (const backend of testedBackends) {
  const test = suite(`AdaMoE with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of of("mixtral_block")) {
    test(`${one.name}: the released block and its gradients`, () =>
      tf.tidy(() => {
        const { inputs, weights: w, outputs, params } = one;
        const { shape: [, , D] } = numbers(inputs.x);
        const spec = blockOf(options(params), { width: numbers(w.w1).shape[1] });
        const gates = [w.gate, ...(params.m ? [w.gate2] : [])].map((gate) => tensorOf(gate));
        const x = tensorOf(inputs.x, [-1, D]), cotangent = tensorOf(inputs.cotangent, [-1, D]);
        const run = (x: tf.Tensor, ...gates: tf.Tensor[]) =>
          runBlock(spec, { router: tf.concat(gates, 0), "bank.0.gate": tensorOf(w.w1), "bank.0.up": tensorOf(w.w3),
            "bank.0.down": tensorOf(w.w2) }, x);
        const { y, record, selected, gates: given } = run(x, ...gates);
        near(record.logits, outputs.logits, 2e-5, "logits");
        near(selected, outputs.selected, 0, "selected");
        near(tf.slice(given, [0, 0], [-1, params.n]), outputs.gates_true, 2e-5, "gates");
        near(y, outputs.y, 2e-5, "y");
        const paid = tf.sum(tf.slice(selected, [0, 0], [-1, params.n]), 1);
        near(tf.mean(paid), [outputs.load], 1e-6, "load");
        const [dx, ...dgates] = tf.grads((x, ...gates) => tf.sum(tf.mul(run(x, ...gates).y, cotangent)))([x, ...gates]);
        near(dx, outputs.gradients.x, 3e-4, "gradient of x");
        const most = Math.max(...dgates.map((gradient) => tf.max(tf.abs(gradient)).dataSync()[0]));
        [outputs.gradients.gate, outputs.gradients.gate2].slice(0, dgates.length).forEach((expected, i) =>
          tf.max(tf.abs(tf.sub(dgates[i], tensorOf(expected)))).dataSync()[0] < 3e-4 * most
          || assert.unreachable(`gradient of gate ${i}`)
        );
      }));
  }

  for (const one of of("paper_")) {
    test(`${one.name}: equation 6, its gradient and the load`, () =>
      tf.tidy(() => {
        const { params: { n, k, average_nulls: together, f_normalise: by }, inputs, outputs } = one;
        const record = recordOf(one);
        // shares of slots are those of tokens over k
        const loss = (logits: tf.Tensor) =>
          tf.div(balanceLoss({ ...record, logits: logits as tf.Tensor2D }, { of: "tokens", together }),
            by === "slots" ? k : 1) as tf.Scalar;
        const { value, grad } = tf.valueAndGrad(loss)(tensorOf(inputs.logits));
        near(value, [outputs.loss], 1e-5, "loss");
        near(grad, outputs.gradient_logits, 3e-4, "gradient");
        const { values: gates, shape } = numbers(outputs.gates_true);
        // the formula routes padding as well, and counts it nowhere
        const real = gates.map((gate, at) => (inputs.mask ? inputs.mask[Math.floor(at / shape[1])] * gate : gate));
        const given = byExpert(record.choice, record.gates, record.logits.shape[1]);
        near(tf.slice(given, [0, 0], [-1, n]), { shape, values: real }, 2e-5, "gates");
        const tokens = inputs.mask ? inputs.mask.reduce((a: number, b: number) => a + b, 0) : record.logits.shape[0];
        const counts = [
          ...tf.sum(byExpert(record.choice, tf.onesLike(record.gates), record.logits.shape[1]), 0).dataSync(),
        ];
        const { spec } = nanoMoe({ layers: 1 });
        spec.decoder.layers[0].ffn = record.spec;
        const load = paidExperts({ "layers.0": { counts, tokens } }, spec)!;
        assert.ok(Math.abs(load - outputs.load) < 1e-6, `load ${load}`);
      }));
  }

  for (const one of of("code_mixtral_loss").filter(({ inputs }) => !inputs.attention_mask)) {
    test(`${one.name}: the released loss, which averages no nulls, over all layers at once`, () =>
      tf.tidy(() => {
        const loss = (logits: tf.Tensor) =>
          balanceLoss({ ...recordOf(one), logits: logits as tf.Tensor2D }, { of: "tokens" }) as tf.Scalar;
        const { value, grad } = tf.valueAndGrad(loss)(tensorOf(one.inputs.logits));
        near(value, one.outputs.loss, 1e-5, "loss");
        near(grad, one.outputs.gradient_logits, 3e-4, "gradient");
      }));
  }

  for (const one of of("code_lora_loss")) {
    test("code_lora_loss: nulls averaged, shares of all choices, a sum over layers", () =>
      tf.tidy(() => {
        const { params: { n, m, k }, inputs, outputs } = one;
        const layers = (k as number[]).map((k, layer) => {
          const logits = inputs[`logits${layer}`];
          const record = recordOf({ ...one, params: { n, m, k }, inputs: { logits } });
          const loss = (logits: tf.Tensor) =>
            balanceLoss({ ...record, logits: logits as tf.Tensor2D }, { together: true }) as tf.Scalar;
          const { value, grad } = tf.valueAndGrad(loss)(tensorOf(logits));
          near(grad, outputs[`gradient_logits${layer}`], 3e-4, `gradient ${layer}`);
          return value;
        });
        near(tf.addN(layers), outputs.loss, 1e-5, "loss");
      }));
  }

  for (const one of of("widen_gate")) {
    test("widen_gate: null rows are the true ones in order, again and again", async () => {
      const { params: { n, m }, inputs, outputs } = one;
      const { shape: [, D], values } = numbers(inputs.gate);
      const model = nanoMoe({ experts: n, topK: 2, width: D, layers: 1 });
      model.weights.tensors.set("layers.0.router", { shape: [n, D], values });
      const plan = await planWith(adamoe, await nanoProfile(model), { nulls: m, topK: 3 });
      const { spec, weights } = await applyPlan(model, plan);
      const router = await weights.values("layers.0.router");
      assert.equal([...router.subarray(0, n * D)], [...values]);
      tf.tidy(() => near(tf.tensor(router.subarray(n * D)), outputs.gate2, 0, "gate2"));
      const { ffn } = spec.decoder.layers[0];
      assert.ok(ffn?.kind === "moe" && ffn.expertOf.slice(n).every((slot) => slot === -1));
    });
  }

  for (const one of of("ties_after_widening")) {
    test("ties_after_widening: of equal scores the lower index, the true expert, comes first", () =>
      tf.tidy(() => {
        const { params, inputs, outputs } = one;
        const gate = tensorOf(inputs.gate), D = gate.shape[1]!;
        const { record } = runBlock(blockOf(options(params), { width: 1 }), { router: tf.concat([gate, gate], 0),
          "bank.0.up": tf.zeros([params.n, 1, D]), "bank.0.gate": tf.zeros([params.n, 1, D]),
          "bank.0.down": tf.zeros([params.n, D, 1]) }, tensorOf(inputs.x));
        near(record.choice, outputs.top3, 0, "choice");
      }));
  }

  test.run();
}

const test = suite("AdaMoE");
for (const one of of("schedule_and_load")) {
  test("the weight is tight in the first half and loose in the second", () => {
    const [{ weight }] = adamoeLosses();
    assert.equal([1, 50, 51, 100].map((step) => atStep(weight, step, 100)), [one.outputs.alpha[0], one.outputs.alpha[0],
      one.outputs.alpha[1], one.outputs.alpha[1]]);
  });
}
test("without null experts, and gates over all, the plan leaves a top-k router as it is", async () => {
  const model = nanoMoe({ experts: 4, topK: 2, layers: 1 });
  const plan = await planWith(adamoe, await nanoProfile(model), { nulls: 0, topK: 2 });
  const { spec } = await applyPlan(model, plan);
  const { ffn: before } = model.spec.decoder.layers[0], { ffn } = spec.decoder.layers[0];
  assert.ok(before?.kind === "moe" && ffn?.kind === "moe");
  assert.equal([ffn.experts, ffn.expertOf, ffn.slots], [before.experts, before.expertOf, before.slots]);
});
test.run();
