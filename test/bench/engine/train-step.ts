// Training steps of a small MoE language model on the active back end: tokens per second, last line as JSON.
// usage: node --import tsx test/bench/engine/train-step.ts narrow|wide STEPS   (MOELAB_BACKEND chooses the back end)
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { adamW, attention, crossEntropy, experts, ready, rmsNorm, takeRows, tf,
  topK } from "../../../sdk/tensor/index.js";
import { sizes } from "./sizes.js";

const [size, steps] = [process.argv[2] as keyof typeof sizes, Number(process.argv[3])];
const { V, D, L, H, T, B, E, F, K } = sizes[size];
const [N, d] = [B * T, D / H];
const { backend, version } = await ready();

const weights: Record<string, Variable> = {};
let seed = 1;
const normal = (
  name: string,
  shape: number[],
  deviation: number,
) => (weights[name] = tf.variable(tf.randomNormal(shape, 0, deviation, "float32", seed++)));
normal("embed", [V, D], 0.1);
normal("position", [T, D], 0.1);
normal("head", [D, V], 0.05);
weights.norm = tf.variable(tf.ones([D]));
for (let l = 0; l < L; l++) {
  normal(`qkv${l}`, [D, 3 * D], 0.05);
  normal(`o${l}`, [D, D], 0.05);
  normal(`router${l}`, [D, E], 0.1);
  normal(`up${l}`, [E, F, D], 0.05);
  normal(`down${l}`, [E, D, F], 0.05);
  for (const name of ["attentionNorm", "ffnNorm"]) weights[`${name}${l}`] = tf.variable(tf.ones([D]));
}

function loss(tokens: Tensor, labels: Tensor): tf.Scalar {
  let x = tf.reshape(tf.add(takeRows(weights.embed, tf.reshape(tokens, [B, T])), weights.position), [N, D]);
  for (let l = 0; l < L; l++) {
    const qkv = tf.matMul(rmsNorm(x, weights[`attentionNorm${l}`], 1e-5), weights[`qkv${l}`]);
    const [q, k, v] = tf.unstack(tf.transpose(tf.reshape(qkv, [B, T, 3, H, d]), [2, 0, 3, 1, 4]));
    const out = attention(q, k, v, { scale: 1 / Math.sqrt(d), causal: true });
    x = tf.add(x, tf.matMul(tf.reshape(tf.transpose(out, [0, 2, 1, 3]), [N, D]), weights[`o${l}`]));
    const y = rmsNorm(x, weights[`ffnNorm${l}`], 1e-5);
    const { values, indices } = topK(tf.softmax(tf.matMul(y, weights[`router${l}`])), K);
    const bank = { up: weights[`up${l}`], down: weights[`down${l}`], activation: "silu" } as const;
    x = tf.add(x, experts(y, indices, tf.div(values, tf.sum(values, -1, true)), bank));
  }
  return tf.mean(crossEntropy(tf.matMul(rmsNorm(x, weights.norm, 1e-5), weights.head), labels)) as tf.Scalar;
}

const text = Int32Array.from({ length: 65536 }, (_, i) => (((i * i * 7 + (i >> 3) * 13) % 97) % V));
const params = Object.values(weights);
const [first, second] = [0, 1].map(() => params.map((p) => tf.tidy(() => tf.variable(tf.zerosLike(p), false))));
const options = { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: params.map(() => 0.01) };
const times: number[] = [];
let last = 0;
for (let step = 0; step < steps + 2; step++) {
  const starts = Array.from({ length: B }, (_, b) => (step * 977 + b * 4001) % 60000);
  const rows = (shift: number) =>
    tf.tensor1d(Int32Array.from({ length: N }, (_, i) => text[starts[Math.floor(i / T)] + (i % T) + shift]), "int32");
  const [tokens, labels] = [rows(0), rows(1)];
  const started = performance.now();
  const { value, grads } = tf.variableGrads(() => loss(tokens, labels), params);
  adamW(params, params.map((p) => grads[p.name]), first, second, step + 1, options);
  last = (await value.data())[0];
  if (step >= 2) times.push(performance.now() - started);
  tf.dispose([tokens, labels, value, grads]);
}
times.sort((a, b) => a - b);
const perSecond = (ms: number) => Math.round((N / ms) * 1000);
console.log(
  JSON.stringify({ backend, version, tokensPerSecond: perSecond(times[times.length >> 1]), best: perSecond(times[0]),
    loss: last }),
);
