import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moePlusPlus, type MoePlusPlusOptions } from "../../sdk/architectures/moe-plus-plus.js";
import type { MoeRecord } from "../../sdk/model/pass.js";
import { capacities } from "../../sdk/model/router/limit.js";
import type { MoeFfnSpec } from "../../sdk/model/spec.js";
import { tf } from "../../sdk/tensor/index.js";
import { routerLoss } from "../../sdk/train/objectives/router-loss.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { blockOf, type Case, near, numbers, oracleCases, runBlock, tensorOf } from "../support/oracle-layer.js";

const found = await oracleCases("moe-plus-plus");
const cases = found?.cases ?? [];
const of = (start: string) => cases.filter(({ name }) => name.startsWith(start));
/** the layers of the oracle: some that compute, two constants, a copy, a zero */
const CONSTANTS = 2;
const K = Number(found?.json.top_k);

/** the options that the released code's flags come to */
function optionsOf({ params: p = {} }: Case, N: number): MoePlusPlusOptions {
  const form = p.moe_use_mixtral_gating ? "released-mixtral" : "released";
  return { experts: N - CONSTANTS - 2, constants: CONSTANTS, topK: K, form,
    ...(p.moe_use_logits_norm && { logitStd: p.moe_gate_norm_std }) };
}

function emptyBank(F: number, D: number): Record<string, tf.Tensor> {
  const blends = [F, F + 1].flatMap((slot) =>
    [[`experts.${slot}.value`, tf.zeros([D])], [`experts.${slot}.blend`, tf.zeros([2, D])]] as [string, tf.Tensor][]
  );
  return { "bank.0.up": tf.zeros([F, 1, D]), "bank.0.gate": tf.zeros([F, 1, D]), "bank.0.down": tf.zeros([F, D, 1]),
    ...Object.fromEntries(blends) };
}

/** weights of a released layer by their names here */
function released(w: Record<string, unknown>, F: number): Record<string, tf.Tensor> {
  const up = Array.from({ length: F }, (_, e) => tensorOf(w[`moe.experts.experts.${e}.up_proj.weight`]));
  const half = (from: number) =>
    tf.stack(up.map((each) => tf.slice(each, [from * each.shape[0] / 2, 0], [each.shape[0] / 2, -1])));
  const constants = Object.fromEntries(
    [F, F + 1].flatMap((slot) =>
      [[`experts.${slot}.value`, tensorOf(w[`moe.experts.experts.${slot}.constant`])], [`experts.${slot}.blend`,
        tensorOf(w[`moe.experts.experts.${slot}.wg.weight`])]] as [string, tf.Tensor][]
    ),
  );
  return { ...constants, ...router((name) => w[`moe.gate.${name}`]), "bank.0.gate": half(0), "bank.0.up": half(1),
    "bank.0.down": tf.stack(
      Array.from({ length: F }, (_, e) => tensorOf(w[`moe.experts.experts.${e}.down_proj.weight`])),
    ) };
}

function router(weight: (name: string) => unknown): Record<string, tf.Tensor> {
  const two = weight("wg.0.weight") !== undefined;
  return { router: tensorOf(weight(two ? "wg.2.weight" : "wg.weight")),
    "router.carry": tensorOf(weight("gate_map.weight")),
    ...(two && { "router.hidden": tensorOf(weight("wg.0.weight")) }) };
}

function plainRouter(spec: MoeFfnSpec): MoeFfnSpec {
  return { ...spec, router: { ...spec.router, score: { kind: "linear" } } };
}

for (const backend of testedBackends) {
  const test = suite(`MoE++ with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of of("gating_")) {
    test(`${one.name}: gates from logits`, () =>
      tf.tidy(() => {
        const { shape: [, E] } = numbers(one.inputs.logits);
        const spec = plainRouter(blockOf(moePlusPlus(optionsOf(one, E)).experts, { width: 1 }));
        const { gates, selected } = runBlock(spec, { router: tf.eye(E), ...emptyBank(E - CONSTANTS - 2, E) },
          tensorOf(one.inputs.logits));
        if (one.name === "gating_ties") {
          // which of the tied ones is the other code's choice: as many, and the same gates
          near(tf.sum(selected, 1), tf.sum(tensorOf(one.outputs.selected), 1).arraySync(), 0, "how many");
          near(tf.sum(gates, 1), tf.sum(tensorOf(one.outputs.gates), 1).arraySync(), 1e-5, "sum of gates");
          return;
        }
        near(selected, one.outputs.selected, 0, "selected");
        near(gates, one.outputs.gates, 1e-5, "gates");
      }));
  }

  for (const one of of("router_chain")) {
    test(`${one.name}: logits go on to the next router`, () =>
      tf.tidy(() => {
        let carried: tf.Tensor | undefined;
        Object.keys(one.weights).forEach((layer) => {
          const { shape: [E, D] } = numbers(one.weights[layer]["gate_map.weight"]).shape[0]
            ? { shape: [numbers(one.weights[layer]["gate_map.weight"]).shape[0], numbers(one.inputs.x0).shape[1]] }
            : { shape: [0, 0] };
          const form = one.params.two_layer_gate ? "released" : "paper";
          const spec = blockOf(moePlusPlus({ ...optionsOf({ ...one, params: {} }, E), form }).experts, { width: 1 });
          if (form === "paper") spec.router.normalize = "nonzero";
          const { record, gates, selected } = runBlock(spec, { ...router((name) => one.weights[layer][name]),
            ...emptyBank(E - CONSTANTS - 2, D) }, tensorOf(one.inputs[`x${layer}`]), { carried });
          near(record.logits, one.outputs[layer].logits, 1e-5, "logits");
          near(gates, one.outputs[layer].gates, 1e-5, "gates");
          near(selected, one.outputs[layer].selected, 0, "selected");
          carried = record.logits;
        });
      }));
  }

  for (const one of of("layer_")) {
    test(`${one.name}: the released layer and its gradients`, () =>
      tf.tidy(() => {
        const { params: p, inputs, weights: w, outputs } = one;
        const { shape: [, , D] } = numbers(inputs.x);
        const E = numbers(w["moe.gate.gate_map.weight"]).shape[0], F = E - CONSTANTS - 2;
        const { shape: [, width] } = numbers(w["moe.experts.experts.0.down_proj.weight"]);
        const recipe = moePlusPlus(optionsOf(one, E));
        const spec = blockOf({ ...recipe.experts, ...(p.moe_feature_no_mul_topk && { inputScale: undefined }) }, {
          width,
        });
        if (p.moe_2layer_gate === false) spec.router.score = { kind: "linear", carry: true };
        const own = released(w, F);
        const names = ["router", "router.carry", ...(own["router.hidden"] ? ["router.hidden"] : []), "bank.0.down",
          `experts.${F}.value`, `experts.${F}.blend`];
        const run = (x: tf.Tensor, carried: tf.Tensor | undefined, ...given: tf.Tensor[]) =>
          runBlock(spec, { ...own, ...Object.fromEntries(names.map((name, i) => [name, given[i] ?? own[name]])) }, x, {
            carried,
          });
        const x = tensorOf(inputs.x, [-1, D]);
        const residual = inputs.gate_residual && tensorOf(inputs.gate_residual);
        const { y, record, gates, selected } = run(x, residual);
        near(record.logits, outputs.logits, 1e-5, "logits");
        near(y, outputs.y, 1e-5, "y");
        if (!outputs.gates) return;
        near(gates, outputs.gates, 1e-5, "gates");
        near(selected, outputs.selected, 0, "selected");
        near(tf.sum(tf.slice(selected, [0, 0], [-1, F]), 1), outputs.ffn_experts_per_token, 0, "experts that compute");
        if (typeof outputs.gradients === "string") return; // where the released code fails
        const cotangent = tensorOf(inputs.cotangent, [-1, D]);
        const [dx, dresidual, ...dw] = tf.grads((x, carried, ...given) =>
          tf.sum(tf.mul(run(x, carried, ...given).y, cotangent))
        )([x, residual, ...names.map((name) => own[name])]);
        near(dx, outputs.gradients.x, 1e-4, "gradient of x");
        near(dresidual, outputs.gradients.gate_residual, 1e-4, "gradient of the residual");
        const expected = released(outputs.gradients.weights, F);
        names.forEach((name, i) => near(dw[i], { shape: dw[i].shape, values: expected[name].dataSync() }, 1e-4, name));
      }));
  }

  for (const one of of("constant_expert")) {
    test("constant_expert: a1 x + a2 v", () =>
      tf.tidy(() => {
        const spec = blockOf({ experts: [{ form: "constant", blend: true }], router: { kind: "one" } }, { width: 1 });
        const x = tensorOf(one.inputs.x);
        const { y } = runBlock(spec, { router: tf.zeros([1, x.shape[1]!]),
          "experts.0.value": tensorOf(one.weights.constant), "experts.0.blend": tensorOf(one.weights["wg.weight"]) },
          x);
        near(y, one.outputs.y, 1e-5, "y");
      }));
  }

  for (const one of of("balance_loss")) {
    test(`${one.name}: equation 7 and its gradient`, () =>
      tf.tidy(() => {
        const { shape: [, E] } = numbers(one.inputs.logits);
        const F = one.outputs.eta.filter((eta: number) => eta === one.outputs.eta[0]).length;
        const computing = one.params.tau === 1 ? E - CONSTANTS - 2 : F;
        const recipe = moePlusPlus({ experts: computing, constants: E - computing - 2, topK: K, tau: one.params.tau,
          balance: one.params.beta, residual: false });
        const { record } = runBlock(blockOf(recipe.experts, { width: 1 }), { router: tf.eye(E),
          ...emptyBank(computing, E) }, tensorOf(one.inputs.logits));
        const [loss] = recipe.train.losses!;
        const { value, grad } = tf.valueAndGrad((logits: tf.Tensor) =>
          tf.mul(routerLoss({ ...record, logits } as MoeRecord, loss), loss.weight as number) as tf.Scalar
        )(record.logits);
        near(value, [one.outputs.loss], 1e-5, "loss");
        near(grad, one.outputs.gradient_logits, 3e-4, "gradient");
      }));
  }

  for (const one of of("paper_two_layers")) {
    test("paper_two_layers: gates not normalised, gradients through the residual", () =>
      tf.tidy(() => {
        const { inputs, weights: w, outputs } = one;
        const { shape: [E] } = numbers(w.router1), F = E - CONSTANTS - 2;
        const { shape: [, D, width] } = numbers(w.down1);
        const spec = blockOf(moePlusPlus({ experts: F, constants: CONSTANTS, topK: K }).experts, { width });
        const layer = (l: 1 | 2, x: tf.Tensor, own: Record<string, tf.Tensor>, carried?: tf.Tensor) => {
          const up = tensorOf(w[`up${l}`]);
          const constants = Object.fromEntries([0, 1].flatMap((i) =>
            [[`experts.${F + i}.blend`, tf.reshape(tf.slice(own.wc, [i, 0, 0], [1, 2, D]), [2, D])], [
              `experts.${F + i}.value`,
              tf.reshape(tf.slice(own.v, [i, 0], [1, D]), [D]),
            ]] as [string, tf.Tensor][]
          ));
          return runBlock(spec, { router: own.router, "router.carry": own.carry ?? tf.zeros([E, E]),
            "bank.0.gate": tf.slice(up, [0, 0, 0], [F, width, D]),
            "bank.0.up": tf.slice(up, [0, width, 0], [F, width, D]), "bank.0.down": tensorOf(w[`down${l}`]),
            ...constants }, x, { carried });
        };
        const both = (
          x1: tf.Tensor,
          x2: tf.Tensor,
          router1: tf.Tensor,
          router2: tf.Tensor,
          carry: tf.Tensor,
          wc: tf.Tensor,
          v: tf.Tensor,
        ) => {
          const first = layer(1, x1, { router: router1, wc, v: tensorOf(w.v1) });
          const second = layer(2, x2, { router: router2, carry, wc: tensorOf(w.wc2), v }, first.record.logits);
          return [first, second];
        };
        const names = ["x1", "x2", "router1", "router2", "residual2", "wc1", "v2"];
        const given = names.map((name) =>
          tensorOf(inputs[name] ?? w[name])
        );
        both(...given as never as Parameters<typeof both>).forEach(({ y, record, gates, selected }, i) => {
          near(y, outputs[`y${i + 1}`], 1e-5, "y");
          near(record.logits, outputs[`logits${i + 1}`], 1e-5, "logits");
          near(gates, outputs[`gates${i + 1}`], 1e-5, "gates");
          near(selected, outputs[`selected${i + 1}`], 0, "selected");
        });
        const gradients = tf.grads((...all) =>
          tf.addN(both(...all as never as Parameters<typeof both>).map(({ y }, i) =>
            tf.sum(tf.mul(y, tensorOf(inputs[`cotangent${i + 1}`])))
          ))
        )(given);
        names.forEach((name, i) =>
          near(gradients[i], outputs.gradients[name], 2e-4, name)
        );
      }));
  }

  test.run();
}

const test = suite("MoE++");
for (const one of of("arithmetic")) {
  test("arithmetic: capacity by kind, number of constants", () => {
    for (const row of one.outputs) {
      const free = Array.from({ length: row.n_zc }, (_, i) => row.n_ffn + i);
      // as printed the formula has no factor K
      const found = capacities({ factor: row.gamma, paid: row.tau }, { T: row.tokens, K: 1, E: row.n_ffn + row.n_zc,
        free });
      assert.ok(Math.abs(found[0] - row.capacity_ffn_eq8) < 1e-9 * row.capacity_ffn_eq8);
      assert.ok(Math.abs(found.at(-1)! - row.capacity_zc_eq8) < 1e-9 * row.capacity_zc_eq8);
      const { experts } = moePlusPlus({ experts: row.n_ffn }).experts;
      assert.is(experts.find(({ form }) => form === "constant")!.count, row.n_const_eq10);
    }
  });
}
test("without free experts and residuals it is a plain top-k block", () => {
  const { experts, router } = moePlusPlus({ experts: 4, zeros: 0, copies: 0, constants: 0, residual: false }).experts;
  assert.equal([experts, router], [[{ count: 4 }], { topK: 2, score: { kind: "linear" } }]);
});
test.run();
