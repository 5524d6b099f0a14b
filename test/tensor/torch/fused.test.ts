import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fused, setFused } from "../../../sdk/tensor/fused.js";
import { registerGradients } from "../../../sdk/tensor/gradients/register.js";
import { adamW, attention, crossEntropy, type ExpertBank, experts, rmsNorm, rotate, takeRows, tf,
  topK } from "../../../sdk/tensor/index.js";
import { registerTorch } from "../../../sdk/tensor/torch/register.js";
import { close } from "../../support/close.js";
import { randomTensor } from "../../support/gradient-check.js";

const registration = await registerTorch();
registerGradients();
if (!registration.ok) console.log(`skip: torch engine: ${registration.reason}`);
else await tf.setBackend("torch");
const fusedOps = registration.ok ? registration.fused : {};
const onTorch = (name: string, run: () => Promise<void>) => (registration.ok
  ? test(name, async () => {
    const before = tf.memory().numTensors;
    await run();
    assert.is(tf.memory().numTensors, before, "tensors left behind");
  })
  : test.skip(name, run));

/** Value and all gradients of an operation: fused, then composed of plain operations, must agree. */
async function sameAsComposed(
  inputs: Tensor[],
  operation: (...inputs: Tensor[]) => Tensor,
  tolerance = 2e-4,
): Promise<void> {
  const results: Float32Array[][] = [];
  for (const ops of [fusedOps, {}]) {
    setFused(ops);
    const tensors = tf.tidy(() => {
      const weights = randomTensor(operation(...inputs).shape, 7);
      const { value, grads } = tf.valueAndGrads((...at: Tensor[]) =>
        tf.sum(tf.mul(operation(...at), weights)) as tf.Scalar
      )(inputs);
      return [operation(...inputs), value, ...grads];
    });
    results.push(await Promise.all(tensors.map((t) => t.data<"float32">())));
    tf.dispose(tensors);
  }
  results[0].forEach((seen, i) =>
    close(seen, results[1][i], tolerance, i < 2 ? "value" : `gradient of input ${i - 2}`)
  );
  tf.dispose(inputs);
}

onTorch("rmsNorm",
  () => sameAsComposed([randomTensor([3, 70, 33], 1), randomTensor([33], 2)], (x, gain) => rmsNorm(x, gain, 1e-6)));

onTorch("rotate: of all channels and of some, neighbours and halves, of heads as they lie after a transposition",
  async () => {
    const angles = [Math.cos, Math.sin].map((f) =>
      tf.tensor2d(Float32Array.from({ length: 5 * 3 }, (_, i) => f(i + 1)), [5, 3])
    );
    for (const interleaved of [false, true])
      for (const d of [6, 9]) {
        await sameAsComposed([randomTensor([2, 4, 5, d], 3)], (x) => rotate(x, angles[0], angles[1], { interleaved }));
        await sameAsComposed([randomTensor([2, 5, 4, d], 3)], (x) =>
          rotate(tf.transpose(x, [0, 2, 1, 3]), angles[0], angles[1], { interleaved }));
      }
    tf.dispose(angles);
  });

onTorch("crossEntropy, with labels that do not count", async () => {
  const labels = tf.tensor1d([3, -1, 0, 6, -1], "int32");
  await sameAsComposed([randomTensor([5, 7], 3, 4)], (logits) => crossEntropy(logits, labels));
  labels.dispose();
});

onTorch("takeRows, with repeated rows", async () => {
  const rows = tf.tensor2d([[0, 4, 4], [2, 4, 0]], [2, 3], "int32");
  await sameAsComposed([randomTensor([5, 6], 4)], (x) => takeRows(x, rows));
  rows.dispose();
});

onTorch("topK: ties go to the lower index, and the gradient to the places", async () => {
  await sameAsComposed([randomTensor([9, 12], 5)], (x) => topK(x, 3).values);
  await sameAsComposed([randomTensor([4, 40], 6)], (x) => topK(x, 30).values);
  setFused(fusedOps);
  for (const k of [2, 20]) {
    const indices = tf.tidy(() => topK(tf.tensor2d(Array.from({ length: 24 }, (_, i) => i % 2), [1, 24]), k).indices);
    assert.equal([...(await indices.data())], Array.from({ length: k }, (_, i) => (i < 12 ? 2 * i + 1 : 2 * (i - 12))));
    indices.dispose();
  }
});

// few positions go through loops of our own, more through torch's blocked kernel
const positions: [T: number, S: number][] = [[5, 7], [66, 70]];
const attentionCases: [name: string, heads: number, groups: number, e: number, causal: boolean,
  mask?: (T: number, S: number) => number[]][] = [["plain", 2, 2, 8, false], ["causal", 2, 2, 8, true], [
    "grouped heads",
    4,
    2,
    8,
    false,
  ], ["values wider than keys", 2, 1, 11, false], ["values narrower", 2, 2, 3, true], ["learned mask per head", 4, 2, 8,
    false, (T, S) => [1, 4, T, S]], ["mask per sequence", 2, 2, 8, false, (_, S) => [2, 1, 1, S]], ["mask per query", 2,
    2, 8, false, (T) => [1, 2, T, 1]], ["mask of rank 2 and causal", 2, 2, 8, true, (T, S) => [T, S]]];
for (const [T, S] of positions) {
  for (const [name, H, G, e, causal, maskShape] of attentionCases) {
    onTorch(`attention of ${T} x ${S}: ${name}`, () => {
      const inputs = [randomTensor([2, H, T, 8], 1), randomTensor([2, G, S, 8], 2), randomTensor([2, G, S, e], 3),
        ...(maskShape ? [randomTensor(maskShape(T, S), 4)] : [])];
      return sameAsComposed(inputs, (q, k, v, mask) => attention(q, k, v, { scale: 0.4, causal, mask }));
    });
  }
  for (const hidden of [-Infinity, -1e9]) {
    onTorch(`attention of ${T} x ${S}: a query that sees nothing gives zeros and has no gradient (${hidden})`,
      async () => {
        const mask = tf.tensor2d(
          Array.from({ length: T * S }, (_, i) => (Math.floor(i / S) === 2 || i % S === 3 ? hidden : 0)),
          [T, S],
        );
        await sameAsComposed([randomTensor([2, 2, T, 8], 1), randomTensor([2, 2, S, 8], 2),
          randomTensor([2, 2, S, 8], 3)], (q, k, v) => attention(q, k, v, { scale: 0.4, mask }));
        setFused(fusedOps);
        const row = tf.tidy(() =>
          tf.slice(attention(tf.ones([1, 1, T, 8]), tf.ones([1, 1, S, 8]), tf.ones([1, 1, S, 8]), { scale: 1, mask }), [
            0,
            0,
            2,
            0,
          ], [1, 1, 1, 8])
        );
        assert.equal([...(await row.data())], new Array(8).fill(0));
        tf.dispose([mask, row]);
      });
  }
}

onTorch("experts: any shape, gating, biases, activation, skipped choices", async () => {
  const setting = fc.record({
    N: fc.integer({ min: 1, max: 9 }),
    K: fc.integer({ min: 1, max: 3 }),
    S: fc.integer({ min: 1, max: 5 }),
    F: fc.integer({ min: 1, max: 6 }),
    D: fc.integer({ min: 1, max: 5 }),
    gated: fc.boolean(),
    biased: fc.boolean(),
    activation: fc.constantFrom("relu", "relu-squared", "silu", "gelu", "gelu-tanh"),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  await fc.assert(fc.asyncProperty(setting, async ({ N, K, S, F, D, gated, biased, activation, seed }) => {
    const choice = tf.tensor2d(Int32Array.from({ length: N * K }, (_, i) => ((seed * 31 + i * 17) % (S + 1)) - 1), [N,
      K], "int32");
    const shapes = [[S, F, D], [S, D, F], ...(gated ? [[S, F, D]] : []), ...(biased ? [[S, F], [S, D]] : []),
      ...(gated && biased ? [[S, F]] : [])];
    const inputs = [randomTensor([N, D], seed), randomTensor([N, K], seed + 1),
      ...shapes.map((shape, i) => randomTensor(shape, seed + 2 + i))];
    await sameAsComposed(inputs, (x, gates, up, down, ...rest) => {
      const bank: ExpertBank = { up, down, activation: activation as ExpertBank["activation"] };
      if (gated) bank.gate = rest.shift();
      if (biased) [bank.upBias, bank.downBias, bank.gateBias] = rest;
      // the composed way runs masked: every expert computes every token
      return experts(x, choice, gates, bank, { mode: fused.experts ? "auto" : "masked" });
    }, 1e-3);
    choice.dispose();
  }), { numRuns: 40, seed: 11, includeErrorInReport: true });
});

onTorch("experts: so many tokens that threads share them, in slots of very unequal size", async () => {
  const [N, K, S, F, D] = [900, 2, 5, 40, 48];
  const choice = tf.tensor2d(
    Int32Array.from({ length: N * K }, (_, i) => (i % 3 ? 1 : i % 7 === 0 ? -1 : i % 11 === 0 ? 4 : 2)),
    [N, K],
    "int32",
  );
  for (const biased of [false, true]) {
    const shapes = [[S, F, D], [S, D, F], [S, F, D], ...(biased ? [[S, F], [S, D], [S, F]] : [])];
    // gradients of weights are sums over hundreds of tokens, so that rounding shows
    await sameAsComposed([randomTensor([N, D], 1), randomTensor([N, K], 2), ...shapes.map((shape, i) =>
      randomTensor(shape, 3 + i, 0.2)
    )], (x, gates, up, down, gate, upBias, downBias, gateBias) =>
      experts(x, choice, gates, { up, down, gate, upBias, downBias, gateBias, activation: "silu" }, {
        mode: fused.experts ? "auto" : "masked",
      }), 5e-3);
  }
  choice.dispose();
});

onTorch("an expert without tokens has gradients of zeros", async () => {
  setFused(fusedOps);
  const grads = tf.tidy(() => {
    const choice = tf.tensor2d([[0], [2]], [2, 1], "int32");
    const gradient = tf.grads((x, up, down) =>
      tf.sum(experts(x, choice, tf.ones([2, 1]), { up, down, activation: "relu" }))
    );
    return gradient([tf.ones([2, 3]), tf.ones([3, 4, 3]), tf.ones([3, 3, 4])]).slice(1).map((g) =>
      tf.slice(g, [1, 0, 0], [1, -1, -1])
    );
  });
  for (const grad of grads) assert.equal([...(await grad.data())], new Array(12).fill(0));
  tf.dispose(grads);
});

onTorch("adamW: as composed over ten steps, and only the variables change", async () => {
  const results: number[][] = [];
  for (const ops of [fusedOps, {}]) {
    setFused(ops);
    const [origin, other, number] = [randomTensor([3, 4], 1), tf.tensor1d([1, 2, 3]), tf.scalar(0.5)];
    const view = tf.reshape(origin, [12]);
    const params = [tf.variable(origin), tf.variable(other), tf.variable(number)];
    const [first, second] = [0, 1].map(() => params.map((p) => tf.tidy(() => tf.variable(tf.zerosLike(p), false))));
    for (let step = 1; step <= 10; step++) {
      const grads = params.map((p, i) => tf.tidy(() => tf.add(tf.sin(tf.mul(p, step)), 0.1 * i)));
      adamW(params, grads, first, second, step, { lr: 0.05, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: [0.1, 0, 0.1] });
      tf.dispose(grads);
    }
    const untouched = tf.tidy(() =>
      tf.add(tf.sum(tf.abs(tf.sub(tf.reshape(randomTensor([3, 4], 1), [12]), view))), tf.sub(tf.scalar(0.5), 0.5))
    );
    assert.is((await untouched.data())[0], 0, "a view of the initial value changed");
    results.push(
      (await Promise.all([...params, ...first, ...second].map((t) => t.data()))).flatMap((values) => [...values]),
    );
    tf.dispose([origin, other, number, view, untouched, ...params, ...first, ...second]);
  }
  close(results[0], results[1], 1e-5);
});

test.run();
