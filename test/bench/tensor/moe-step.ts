// One training step of a small MoE language model (D 128, L 4, 8 experts of 256, top-2, 1,024 tokens, AdamW): tokens
// per second.
// usage: node --import tsx test/bench/tensor/moe-step.ts [dense|gather|sdk ...] [--steps 10] [--backend wasm]
// [--kernels]
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { parseArgs } from "node:util";
import { adamW, attention, crossEntropy, experts, ready, rmsNorm, takeRows, tf,
  topK } from "../../../sdk/tensor/index.js";
import { timeKernels } from "./time-kernels.js";

const [V, D, L, H, T, B, E, F, K] = [64, 128, 4, 4, 64, 16, 8, 256, 2];
const [N, d] = [B * T, D / H];

/**
 * dense: every expert computes every token; gather: tokens sorted by expert on the host; both of ordinary operations.
 * sdk: sdk/tensor's own operations.
 */
type Variant = "dense" | "gather" | "sdk";
type Weights = Record<string, Variable>;

function initialWeights(variant: Variant): Weights {
  const weights: Weights = {};
  let seed = 1;
  const normal = (
    name: string,
    shape: number[],
    deviation: number,
  ) => (weights[name] = tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, deviation, "float32", seed++))));
  const ones = (name: string) => (weights[name] = tf.tidy(() => tf.variable(tf.ones([D]))));
  normal("embed", [V, D], 0.1);
  normal("position", [T, D], 0.1);
  normal("head", [D, V], 0.05);
  ones("norm");
  for (let l = 0; l < L; l++) {
    normal(`qkv${l}`, [D, 3 * D], 0.05);
    normal(`o${l}`, [D, D], 0.05);
    normal(`router${l}`, [D, E], 0.1);
    ones(`attentionNorm${l}`);
    ones(`ffnNorm${l}`);
    if (variant === "dense") [normal(`up${l}`, [D, E * F], 0.05), normal(`down${l}`, [E * F, D], 0.05)];
    if (variant === "sdk") [normal(`up${l}`, [E, F, D], 0.05), normal(`down${l}`, [E, D, F], 0.05)];
    if (variant === "gather") {
      for (let e = 0; e < E; e++) [normal(`up${l}.${e}`, [D, F], 0.05), normal(`down${l}.${e}`, [F, D], 0.05)];
    }
  }
  return weights;
}

const plainNorm = (x: Tensor, gain: Tensor) =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), gain);
const plainSilu = (x: Tensor) => tf.mul(x, tf.sigmoid(x));
const permute = (x: Tensor, order: Tensor, back: Tensor) =>
  tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([back]);
    return { value: tf.gather(x as Tensor, order as tf.Tensor1D),
      gradFunc: (dy: Tensor, [back]: Tensor[]) => tf.gather(dy, back as tf.Tensor1D) };
  })(x);
const chosen = (p: Tensor) =>
  tf.customGrad((p, save) => {
    (save as tf.GradSaveFunc)([p as Tensor]);
    return { value: tf.topk(p as Tensor, K).indices, gradFunc: (_: Tensor, [p]: Tensor[]) => tf.zerosLike(p) };
  })(p);

function plainMoe(x: Tensor, weights: Weights, l: number, variant: Variant): Tensor {
  const p = tf.softmax(tf.matMul(x, weights[`router${l}`]));
  const indices = chosen(p);
  const picks = tf.cast(tf.oneHot(indices as tf.Tensor1D, E), "float32");
  const kept = tf.mul(p, tf.sum(picks, 1));
  const gates = tf.div(kept, tf.sum(kept, -1, true));
  if (variant === "dense") {
    const hidden = tf.reshape(plainSilu(tf.matMul(x, weights[`up${l}`])), [N, E, F]);
    return tf.matMul(tf.reshape(tf.mul(hidden, tf.reshape(gates, [N, E, 1])), [N, E * F]), weights[`down${l}`]);
  }
  const slots = indices.dataSync();
  const sizes = new Array<number>(E).fill(0);
  slots.forEach((e) => sizes[e]++);
  const next = sizes.map((_, e) => sizes.slice(0, e).reduce((a, b) => a + b, 0));
  const order = new Int32Array(N * K);
  const back = new Int32Array(N * K);
  slots.forEach((e, i) => {
    back[i] = next[e];
    order[next[e]++] = i;
  });
  const [orderT, backT] = [tf.tensor1d(order, "int32"), tf.tensor1d(back, "int32")];
  const repeated = tf.reshape(tf.tile(tf.expandDims(x, 1), [1, K, 1]), [N * K, D]);
  const used = sizes.map((_, e) => e).filter((e) => sizes[e] > 0);
  const parts = tf.split(permute(repeated, orderT, backT), used.map((e) => sizes[e]));
  const outputs = used.map((e, i) =>
    tf.matMul(plainSilu(tf.matMul(parts[i], weights[`up${l}.${e}`])), weights[`down${l}.${e}`])
  );
  const y = tf.reshape(permute(tf.concat(outputs, 0), backT, orderT), [N, K, D]);
  return tf.sum(tf.mul(y, tf.sum(tf.mul(picks, tf.expandDims(gates, 1)), -1, true)), 1);
}

function plainLoss(tokens: Tensor, labels: Tensor, weights: Weights, variant: Variant): tf.Scalar {
  const hidden = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0));
  const mask = tf.tensor2d(hidden, [T, T]);
  const oneHot = (ids: Tensor) => tf.cast(tf.oneHot(ids as tf.Tensor1D, V), "float32");
  let x = tf.reshape(tf.add(tf.reshape(tf.matMul(oneHot(tokens), weights.embed), [B, T, D]), weights.position), [N, D]);
  for (let l = 0; l < L; l++) {
    const qkv = tf.transpose(
      tf.reshape(tf.matMul(plainNorm(x, weights[`attentionNorm${l}`]), weights[`qkv${l}`]), [B, T, 3, H, d]),
      [2, 0, 3, 1, 4],
    );
    const [q, k, v] = tf.split(tf.reshape(qkv, [3, B * H, T, d]), 3, 0).map((part) => tf.reshape(part, [B * H, T, d]));
    const shares = tf.softmax(tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(d)), mask));
    const out = tf.reshape(tf.transpose(tf.reshape(tf.matMul(shares, v), [B, H, T, d]), [0, 2, 1, 3]), [N, D]);
    x = tf.add(x, tf.matMul(out, weights[`o${l}`]));
    x = tf.add(x, plainMoe(plainNorm(x, weights[`ffnNorm${l}`]), weights, l, variant));
  }
  return tf.losses.softmaxCrossEntropy(oneHot(labels),
    tf.matMul(plainNorm(x, weights.norm), weights.head)) as tf.Scalar;
}

function sdkLoss(tokens: Tensor, labels: Tensor, weights: Weights): tf.Scalar {
  let x = tf.reshape(tf.add(takeRows(weights.embed, tf.reshape(tokens, [B, T])), weights.position), [N, D]);
  for (let l = 0; l < L; l++) {
    const qkv = tf.matMul(rmsNorm(x, weights[`attentionNorm${l}`], 1e-5), weights[`qkv${l}`]);
    const heads = tf.transpose(tf.reshape(qkv, [B, T, 3, H, d]), [2, 0, 3, 1, 4]);
    const [q, k, v] = tf.unstack(heads);
    const out = attention(q, k, v, { scale: 1 / Math.sqrt(d), causal: true });
    x = tf.add(x, tf.matMul(tf.reshape(tf.transpose(out, [0, 2, 1, 3]), [N, D]), weights[`o${l}`]));
    const y = rmsNorm(x, weights[`ffnNorm${l}`], 1e-5);
    const { values, indices } = topK(tf.softmax(tf.matMul(y, weights[`router${l}`])), K);
    const gates = tf.div(values, tf.sum(values, -1, true));
    x = tf.add(x, experts(y, indices, gates, { up: weights[`up${l}`], down: weights[`down${l}`], activation: "silu" }));
  }
  return tf.mean(crossEntropy(tf.matMul(rmsNorm(x, weights.norm, 1e-5), weights.head), labels)) as tf.Scalar;
}

const text = Int32Array.from({ length: 65536 }, (_, i) => (((i * i * 7 + (i >> 3) * 13) % 97) % V));

function batch(step: number): [Tensor, Tensor] {
  const starts = Array.from({ length: B }, (_, b) => (step * 977 + b * 4001) % 60000);
  const rows = (shift: number) =>
    Int32Array.from({ length: N }, (_, i) => text[starts[Math.floor(i / T)] + (i % T) + shift]);
  return [tf.tensor1d(rows(0), "int32"), tf.tensor1d(rows(1), "int32")];
}

export interface StepTimes {
  variant: Variant;
  tokensPerSecond: number;
  best: number;
  firstLoss: number;
  lastLoss: number;
  leakedTensors: number;
}

export function timeSteps(variant: Variant, steps: number): StepTimes {
  const weights = initialWeights(variant);
  const params = Object.values(weights);
  const [first, second] = [0, 1].map(() => params.map((p) => tf.tidy(() => tf.variable(tf.zerosLike(p), false))));
  const options = { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: params.map(() => 0.01) };
  const times: number[] = [];
  const losses: number[] = [];
  let alive = 0;
  for (let step = 1; step <= steps + 2; step++) {
    const [tokens, labels] = batch(step);
    const started = performance.now();
    const { value, grads } = tf.variableGrads(
      () => (variant === "sdk" ? sdkLoss(tokens, labels, weights) : plainLoss(tokens, labels, weights, variant)),
      params,
    );
    adamW(params, params.map((p) => grads[p.name] ?? null), first, second, step, options);
    losses.push(value.dataSync()[0]);
    if (step > 2) times.push(performance.now() - started);
    tf.dispose([tokens, labels, value, grads]);
    if (step === 2) alive = tf.memory().numTensors;
  }
  const leakedTensors = tf.memory().numTensors - alive;
  tf.dispose([params, first, second]);
  times.sort((a, b) => a - b);
  const speed = (ms: number) => Math.round((N / ms) * 1000);
  return { variant, tokensPerSecond: speed(times[times.length >> 1]), best: speed(times[0]), firstLoss: losses[0],
    lastLoss: losses[losses.length - 1], leakedTensors };
}

if (process.argv[1]?.endsWith("moe-step.ts")) {
  const { values, positionals } = parseArgs({ allowPositionals: true,
    options: { steps: { type: "string", default: "10" }, backend: { type: "string" }, kernels: { type: "boolean" } } });
  const { backend, version } = await ready({ backend: values.backend });
  for (const variant of (positionals.length ? positionals : ["dense", "gather", "sdk"]) as Variant[]) {
    const report = values.kernels ? timeKernels() : undefined;
    console.log(JSON.stringify({ backend, version, ...timeSteps(variant, Number(values.steps)) }));
    report?.();
  }
}
