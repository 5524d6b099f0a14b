import type { Tensor } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { activate, adamW, addRows, attention, crossEntropy, dropout, layerNorm, logSumExp, rmsNorm, Rng, rotate,
  safeSoftmax, takeRows, tf, topK } from "../../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { gradientCheck, randomTensor, tensorClose } from "../../support/gradient-check.js";
import { noLeaks } from "../../support/tensors.js";

/** Adds a test that runs inside a scope of its own, with a leak check. */
for (const backend of testedBackends) {
  const on = suite(`operations on ${backend}`);
  const test = (name: string, run: () => Promise<void> | void) =>
    on(name, () =>
      noLeaks(async () => {
        tf.engine().startScope();
        try {
          await run();
        } finally {
          tf.engine().endScope();
        }
      }));
  on.before(() => useBackend(backend));

  test("rmsNorm", async () => {
    const x = tf.tensor2d([[3, 4], [0, 0]]);
    const gain = tf.tensor1d([1, 2]);
    const rms = Math.sqrt(12.5 + 1e-5);
    tensorClose(rmsNorm(x, gain, 1e-5), [3 / rms, 8 / rms, 0, 0], 1e-6);
    tensorClose(rmsNorm(x, gain, 1e-5, 1), [6 / rms, 12 / rms, 0, 0], 1e-6);
    await gradientCheck((x, gain) => rmsNorm(x, gain, 1e-5, 0.5), [randomTensor([2, 3, 5]), randomTensor([5], 2)]);
  });

  test("layerNorm", async () => {
    const x = tf.tensor2d([[1, 3]]);
    tensorClose(layerNorm(x, tf.tensor1d([2, 2]), tf.tensor1d([0, 10]), 0), [-2, 12], 1e-6);
    await gradientCheck((x, gain, bias) => layerNorm(x, gain, bias, 1e-5), [randomTensor([2, 3, 5]),
      randomTensor([5], 2), randomTensor([5], 3)]);
  });

  test("safeSoftmax and logSumExp", async () => {
    const x = tf.tensor2d([[0, Math.log(3), -Infinity], [-Infinity, -Infinity, -Infinity], [-3.4e38, -1e9, -3.4e38], [
      1000,
      1000,
      0,
    ]]);
    tensorClose(safeSoftmax(x), [0.25, 0.75, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0], 1e-6);
    tensorClose(logSumExp(tf.tensor2d([[1000, 1000], [0, 0]])), [1000 + Math.LN2, Math.LN2], 1e-4);
    await gradientCheck(safeSoftmax, [randomTensor([3, 4])]);
    await gradientCheck(logSumExp, [randomTensor([3, 4])]);
  });

  test("attention equals the sum written out, with grouped heads, window, mask, sinks and offset", () => {
    const [B, H, G, T, S, d, e] = [2, 4, 2, 3, 6, 5, 3];
    const [q, k, v] = [randomTensor([B, H, T, d]), randomTensor([B, G, S, d], 2), randomTensor([B, G, S, e], 3)];
    const mask = randomTensor([B, 1, T, S], 4);
    const sinks = randomTensor([H], 5);
    for (const options of [{ causal: false }, { causal: true }, { causal: true, queryOffset: 3 }, { causal: true,
      queryOffset: 3, window: 2 }, { causal: true, mask }, { causal: true, mask, sinks, queryOffset: 2 }, {
      causal: false,
      sinks,
    }]) {
      const got = attention(q, k, v, { scale: 0.3, ...options });
      assert.equal(got.shape, [B, H, T, e]);
      tensorClose(got, attentionByLoops(q, k, v, { scale: 0.3, ...options }), 1e-5,
        JSON.stringify(Object.keys(options)));
    }
  });

  test("attention gives zeros where everything is masked", async () => {
    const [q, k, v] = [randomTensor([1, 1, 2, 3]), randomTensor([1, 1, 2, 3], 2), randomTensor([1, 1, 2, 3], 3)];
    for (const hide of [-Infinity, -3.4e38, -1e9]) {
      const mask = tf.tensor2d([[hide, hide], [0, hide]]);
      const out = attention(q, k, v, { scale: 1, mask }).dataSync();
      assert.equal([...out.slice(0, 3)].map(Math.abs), [0, 0, 0]);
      tensorClose(tf.tensor(out.slice(3)), v.dataSync().slice(0, 3) as Float32Array, 1e-6);
      const grads = tf.grads((q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v, { scale: 1, mask }))([q, k, v]);
      for (const grad of grads) assert.ok(grad.dataSync().every(Number.isFinite));
    }
  });

  test("attention gradients", async () => {
    const inputs = [randomTensor([1, 4, 3, 2]), randomTensor([1, 2, 3, 2], 2), randomTensor([1, 2, 3, 2], 3)];
    await gradientCheck((q, k, v) => attention(q, k, v, { scale: 0.7, causal: true }), inputs);
    await gradientCheck((q, k, v, sinks) => attention(q, k, v, { scale: 0.7, causal: true, window: 2, sinks }), [
      ...inputs,
      randomTensor([4], 4),
    ]);
  });

  test("topK", async () => {
    const { values, indices } = topK(tf.tensor2d([[1, 3, 3, 2], [5, 5, 5, 5]]), 3);
    assert.equal([...values.dataSync()], [3, 3, 2, 5, 5, 5]);
    assert.equal([...indices.dataSync()], [1, 2, 3, 0, 1, 2]);
    await gradientCheck((x) => topK(x, 2).values, [tf.tensor2d([[1, 3, 5, 2], [8, -5, 2, 0]])]);
  });

  test("takeRows and addRows", async () => {
    const x = tf.tensor2d([[1, 2], [3, 4], [5, 6]]);
    const rows = tf.tensor2d([[2, 0], [2, 2]], [2, 2], "int32");
    const taken = takeRows(x, rows);
    assert.equal(taken.shape, [2, 2, 2]);
    assert.equal([...taken.dataSync()], [5, 6, 1, 2, 5, 6, 5, 6]);
    assert.equal([...addRows(x, tf.tensor1d([1, -1, 1], "int32"), 3).dataSync()], [0, 0, 6, 8, 0, 0]);
    await gradientCheck((x) => takeRows(x, rows), [randomTensor([3, 4])]);
    await gradientCheck((x) => addRows(x, tf.tensor1d([1, -1, 1, 0], "int32"), 3), [randomTensor([4, 2])]);
  });

  test("crossEntropy", async () => {
    const logits = tf.tensor2d([[0, Math.log(3)], [0, Math.log(3)], [500, -500]]);
    tensorClose(crossEntropy(logits, tf.tensor1d([1, -1, 1], "int32")), [Math.log(4 / 3), 0, 1000], 1e-4);
    await gradientCheck((x) => crossEntropy(x, tf.tensor1d([1, -1, 4], "int32")), [randomTensor([3, 5])]);
  });

  test("activate", async () => {
    const x = tf.tensor1d([-2, -0.5, 0, 1, 3]);
    tensorClose(activate(x, "relu"), [0, 0, 0, 1, 3], 0);
    tensorClose(activate(x, "relu-squared"), [0, 0, 0, 1, 9], 0);
    // torch.nn.functional silu, gelu and gelu(approximate="tanh") of the same numbers
    tensorClose(activate(x, "silu"), [-0.23840584, -0.18877033, 0, 0.7310586, 2.8577224], 1e-6);
    tensorClose(activate(x, "gelu"), [-0.04550027, -0.15426877, 0, 0.8413447, 2.9959502], 2e-6);
    tensorClose(activate(x, "gelu-tanh"), [-0.04540229, -0.15428598, 0, 0.841192, 2.9963627], 1e-6);
    for (const name of ["relu", "relu-squared", "silu", "gelu", "gelu-tanh"] as const) {
      await gradientCheck((x) => activate(x, name), [tf.tensor1d([-2, -0.5, 0.3, 1, 3])], 1e-2);
    }
  });

  test("rotate turns each pair by its angle", async () => {
    const [T, half] = [3, 2];
    const angles = randomTensor([T, half], 8);
    const [cos, sin] = [tf.cos(angles), tf.sin(angles)];
    const x = randomTensor([1, 2, T, 5]);
    for (const interleaved of [false, true]) {
      const got = rotate(x, cos, sin, { interleaved }).dataSync();
      const [from, angle] = [x.dataSync(), angles.dataSync()];
      for (let h = 0; h < 2; h++)
        for (let t = 0; t < T; t++)
          for (let p = 0; p < half; p++) {
            const at = (h * T + t) * 5;
            const [a, b] = interleaved ? [at + 2 * p, at + 2 * p + 1] : [at + p, at + half + p];
            const w = angle[t * half + p];
            assert.ok(Math.abs(got[a] - (from[a] * Math.cos(w) - from[b] * Math.sin(w))) < 1e-5);
            assert.ok(Math.abs(got[b] - (from[b] * Math.cos(w) + from[a] * Math.sin(w))) < 1e-5);
            assert.is(got[at + 4], from[at + 4]);
          }
      await gradientCheck((x) => rotate(x, cos, sin, { interleaved }), [x]);
    }
  });

  test("dropout keeps the mean and its mask follows the seed", () => {
    const x = tf.ones([100, 100]);
    const [a, b] = [dropout(x, 0.3, new Rng(3)), dropout(x, 0.3, new Rng(3))];
    assert.equal(a.dataSync(), b.dataSync());
    assert.ok(Math.abs(tf.mean(a).dataSync()[0] - 1) < 0.03); // 4.5 standard errors
    assert.is(new Set(a.dataSync()).size, 2);
  });

  test("adamW does what the algorithm says, and skips null", () => {
    const p = [tf.variable(tf.tensor1d([1, -2])), tf.variable(tf.tensor1d([5]))];
    const [m, v] = [p.map((x) => tf.variable(tf.zerosLike(x), false)), p.map((x) =>
      tf.variable(tf.zerosLike(x), false)
    )];
    const options = { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: [0.01, 0.5] };
    let [x, first, second] = [[1, -2], [0, 0], [0, 0]];
    for (let step = 1; step <= 3; step++) {
      const g = [0.5 * step, -1];
      adamW(p, [tf.tensor1d(g), null], m, v, step, options);
      first = first.map((f, i) => 0.9 * f + 0.1 * g[i]);
      second = second.map((s, i) => 0.99 * s + 0.01 * g[i] ** 2);
      x = x.map((w, i) =>
        w * (1 - 0.1 * 0.01) - 0.1 * (first[i] / (1 - 0.9 ** step)) / (Math.sqrt(second[i] / (1 - 0.99 ** step)) + 1e-8)
      );
    }
    tensorClose(p[0], x, 1e-5);
    tensorClose(p[1], [5], 0);
    for (const variable of [...p, ...m, ...v]) variable.dispose();
  });

  test("adamW scales gradients down to the largest norm, all of them together", async () => {
    const stepped = async (grads: number[][], clip?: number) => {
      const [p, m, v] = [0, 1, 2].map(() => grads.map((g) => tf.tidy(() => tf.variable(tf.zeros([g.length])))));
      const options = { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: grads.map((_, i) => 0.1 * i), clip };
      const tensors = grads.map((g) => tf.tensor1d(g));
      adamW(p, tensors, m, v, 1, options);
      const values = (await Promise.all([...m, ...v].map((x) => x.data()))).flatMap((x) => [...x]);
      const left = (await Promise.all(tensors.map((x) => x.data()))).map((x) => [...x]);
      tf.dispose([...p, ...m, ...v, ...tensors]);
      assert.equal(left, grads.map((g) => [...Float32Array.from(g)]), "the gradients stay as they are");
      return values;
    };
    const close = (a: number[], b: number[]) =>
      a.forEach((x, i) => assert.ok(Math.abs(x - b[i]) <= 1e-6 * Math.abs(b[i]), `${a} is not ${b}`));
    close(await stepped([[3, 0], [0, 4]], 1), await stepped([[0.6, 0], [0, 0.8]]));
    close(await stepped([[3, 0], [0, 4]], 10), await stepped([[3, 0], [0, 4]]));
    close(await stepped([[3, 0], [0, 4]], 0), await stepped([[3, 0], [0, 4]]));
  });

  on.run();
}

/** The definition, in plain loops. */
function attentionByLoops(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { scale: number; causal?: boolean; mask?: Tensor; window?: number; sinks?: Tensor; queryOffset?: number },
): Float32Array {
  const [B, H, T, d] = q.shape as number[];
  const [, G, S] = k.shape as number[];
  const e = v.shape[3]!;
  const [Q, K, V] = [q, k, v].map((x) => x.dataSync());
  const mask = options.mask?.dataSync();
  const sinks = options.sinks?.dataSync();
  const out = new Float32Array(B * H * T * e);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < H; h++)
      for (let t = 0; t < T; t++) {
        const g = Math.floor((h * G) / H);
        const position = t + (options.queryOffset ?? 0);
        const weights = Array.from({ length: S }, (_, s) => {
          if (options.causal && (s > position || s <= position - (options.window ?? Infinity))) return 0;
          let score = 0;
          for (let i = 0; i < d; i++) score += Q[((b * H + h) * T + t) * d + i] * K[((b * G + g) * S + s) * d + i];
          return Math.exp(score * options.scale + (mask ? mask[(b * T + t) * S + s] : 0));
        });
        const total = weights.reduce((a, w) => a + w, sinks ? Math.exp(sinks[h]) : 0);
        for (let i = 0; i < e; i++) {
          out[((b * H + h) * T + t) * e + i] = weights.reduce((a, w, s) => a + w * V[((b * G + g) * S + s) * e + i], 0)
            / total;
        }
      }
  return out;
}
