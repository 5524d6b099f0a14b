import { suite } from "uvu";
import * as assert from "uvu/assert";
import { thor } from "../../sdk/architectures/thor.js";
import { initialize } from "../../sdk/model/initialize.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { withExperts } from "../../sdk/model/with-experts.js";
import { crossEntropy, Rng, tf } from "../../sdk/tensor/index.js";
import { consistencyLoss } from "../../sdk/train/objectives/consistency.js";
import { stepLoss } from "../../sdk/train/step-loss.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { nanoMoe } from "../support/nano-moe.js";
import { blockOf, type Case, near, numbers, oracleCases, runBlock, tensorOf } from "../support/oracle-layer.js";

const cases = (await oracleCases("thor"))?.cases ?? [];
const of = (...starts: string[]) => cases.filter(({ name }) => starts.some((start) => name.startsWith(start)));

/** All experts of a layer on rows that were normalised, each token by the expert that was drawn for it. */
function drawn(
  { weights: w }: Pick<Case, "weights">,
  x: tf.Tensor,
  draw: number[],
  own: Record<string, tf.Tensor> = {},
) {
  const [M, f] = numbers(w.w1).shape;
  // a router whose scores say who is drawn stands for the generator
  const spec = blockOf(thor({ experts: M, width: f }).experts, { width: f, gated: false, bias: true });
  spec.router.score = { kind: "linear" };
  const chosen = tf.cast(tf.oneHot(tf.tensor1d(draw, "int32"), M), "float32");
  const scores = { router: tf.zeros([M, x.shape[1]!]), "router.bias": tf.zeros([M]) };
  const each = Array.from({ length: M },
    (_, e) =>
      runBlock(spec, { ...scores, "router.bias": tf.oneHot(e, M), "bank.0.up": tensorOf(w.w1),
        "bank.0.up.bias": tensorOf(w.b1), "bank.0.down": tensorOf(w.w2), "bank.0.down.bias": tensorOf(w.b2), ...own },
        x).y);
  return tf.sum(tf.mul(tf.stack(each, 1), tf.expandDims(chosen, -1)), 1);
}

const norm = (w: Case["weights"], name: string, x: tf.Tensor) => {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), tensorOf(w[`${name}_weight`])),
    tensorOf(w[`${name}_bias`]));
};

for (const backend of testedBackends) {
  const test = suite(`THOR with ${backend}`);
  test.before(() => useBackend(backend));

  for (const one of of("encoder_", "decoder_")) {
    test(`${one.name}: a layer with the experts that were drawn`, () =>
      tf.tidy(() => {
        const { params, inputs, weights: w, outputs } = one;
        const [T, B, D] = numbers(inputs.x).shape;
        const x = tensorOf(inputs.x, [-1, D]);
        const layer = (draw: number[]) => {
          // the attention gives nothing: only its norm is left
          const mixed = params.normalize_before ? x : norm(w, "attn_ln", x);
          return params.normalize_before
            ? tf.add(mixed, drawn(one, norm(w, "ln", mixed), draw))
            : norm(w, "ln", tf.add(mixed, drawn(one, mixed, draw)));
        };
        const draws = numbers(inputs.draw);
        const draw = Array.from({ length: T * B }, (_, n) =>
          draws.values[draws.shape.length === 2 ? n : Math.floor(n / B)]);
        near(layer(draw), outputs.y, 2e-5, "evaluation");
        for (const { draw: e, y } of outputs.training)
          near(layer(new Array<number>(T * B).fill(e)), y, 2e-5, "training");
      }));
  }

  for (const one of of("symmetric_kl")) {
    test(`${one.name}: the distance and both gradients`, () =>
      tf.tidy(() => {
        const V = numbers(one.inputs.logits_p).shape.at(-1)!;
        const [p, q] = [tensorOf(one.inputs.logits_p, [-1, V]), tensorOf(one.inputs.logits_q, [-1, V])];
        const weights = one.inputs.padding ? tf.sub(1, tensorOf(one.inputs.padding)) : tf.ones([p.shape[0] as number]);
        const { value, grads: [dp, dq] } = tf.valueAndGrads((p, q) => consistencyLoss(p, q, weights) as tf.Scalar)([p,
          q]);
        const expected = one.outputs.from_log_softmax ?? one.outputs.kl[0];
        if (expected === 0) assert.ok(Math.abs(value.dataSync()[0]) < 1e-6);
        else near(value, [expected], 2e-5, "distance");
        if (!one.outputs.gradient_logits_p || expected === 0) return;
        near(dp, one.outputs.gradient_logits_p, 3e-4, "gradient of p");
        near(dq, one.outputs.gradient_logits_q, 3e-4, "gradient of q");
      }));
  }

  for (const one of of("training_gradients")) {
    test("training_gradients: one expert for all", () =>
      tf.tidy(() => {
        const { params: { expert }, inputs, weights: w, outputs } = one;
        const [T, B, D] = numbers(inputs.x).shape;
        const run = (x: tf.Tensor, w1: tf.Tensor, b2: tf.Tensor) => {
          const mixed = norm(w, "attn_ln", x);
          return norm(w, "ln",
            tf.add(mixed,
              drawn(one, mixed, new Array<number>(T * B).fill(expert), { "bank.0.up": w1, "bank.0.down.bias": b2 })));
        };
        const given = [tensorOf(inputs.x, [-1, D]), tensorOf(w.w1), tensorOf(w.b2)] as const;
        near(run(...given), outputs.y, 2e-5, "y");
        const [dx, dw1, db2] = tf.grads((...all) =>
          tf.sum(tf.mul(run(...all as never as typeof given), tensorOf(inputs.cotangent, [-1, D])))
        )([...given]);
        near(dx, outputs.gradients.x, 3e-4, "x");
        near(tf.gather(dw1, expert), outputs.gradients.w1_expert1, 3e-4, "w1");
        near(tf.gather(db2, expert), outputs.gradients.b2_expert1, 3e-4, "b2");
        const others = tf.sum(tf.abs(dw1), [1, 2]).arraySync() as number[];
        assert.equal(others.flatMap((sum, e) => (sum > 0 ? [e] : [])), outputs.experts_with_gradient);
      }));
  }

  for (const one of of("inference_alternatives")) {
    test("inference_alternatives: each expert, their mean, a draw for each token", () =>
      tf.tidy(() => {
        const x = tensorOf(one.inputs.x), [M] = numbers(one.weights.w1).shape, N = x.shape[0] as number;
        const each = Array.from({ length: M }, (_, e) => drawn(one, x, new Array<number>(N).fill(e)));
        near(tf.stack(each), one.outputs.per_expert, 2e-5, "each");
        near(tf.div(tf.addN(each), M), one.outputs.ensemble, 2e-5, "mean");
        near(drawn(one, x, one.inputs.draw), one.outputs.drawn, 2e-5, "drawn");
      }));
  }

  test("a step adds both passes and alpha times their distance; the same experts are none apart", async () => {
    const { experts, train } = thor({ experts: 3, width: 4, every: 1 });
    const spec = withExperts(nanoMoe({ layers: 2 }).spec, experts);
    const model = await Trainable.from(spec, initialize(spec, new Rng(2)));
    const batch = { ids: [[1, 2, 3, 4]], labels: [[2, 3, 4, 5]] };
    const loss = (options: object) => {
      const all = { step: 1, steps: 1, spec, seed: "t", ...options };
      return tf.tidy(() => stepLoss(model, batch, all).dataSync()[0]);
    };
    const [one, other] = [loss({}), loss({ seed: "t again" })];
    const apart = tf.tidy(() => {
      const rows = { decoder: { B: 1, T: 4, ids: Int32Array.of(1, 2, 3, 4) } };
      const logits = ["t", "t again"].map((seed) => model.logits(rows, undefined, { seed }));
      near(tf.mean(crossEntropy(logits[0] as never, tf.tensor1d([2, 3, 4, 5], "int32"))), [one], 1e-5, "one pass");
      return consistencyLoss(logits[0], logits[1], tf.fill([4], 0.25)).dataSync()[0];
    });
    assert.ok(apart > 1e-3, `two draws differ by ${apart}`);
    const both = loss({ consistency: train.consistency });
    assert.ok(Math.abs(both - one - other - train.consistency! * apart) < 1e-4, `${both}`);
    const alone = withExperts(nanoMoe({ layers: 2 }).spec, thor({ experts: 1, width: 4, every: 1 }).experts);
    const single = await Trainable.from(alone, initialize(alone, new Rng(2)));
    const [once, twice] = [{}, { consistency: 5 }].map((more) =>
      tf.tidy(() => stepLoss(single, batch, { step: 1, steps: 1, spec: alone, seed: "t", ...more }).dataSync()[0])
    );
    assert.ok(Math.abs(twice - 2 * once) < 1e-5);
    model.dispose();
    single.dispose();
  });

  test.run();
}

const test = suite("THOR");
for (const { outputs } of of("expert_layers")) {
  test("expert_layers: every other layer has experts", () => {
    const { spec } = nanoMoe({ layers: outputs.layers });
    for (const layer of spec.decoder.layers)
      layer.ffn = { kind: "dense", width: 4, gated: false, bias: true, activation: "relu" };
    const { decoder } = withExperts(spec, thor({ experts: 2 }).experts);
    assert.equal(decoder.layers.flatMap(({ ffn }, l) => (ffn?.kind === "moe" ? [l] : [])), outputs.expert);
  });
}
test.run();
