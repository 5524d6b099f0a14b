import type { Tensor } from "@tensorflow/tfjs-core";
import { test } from "uvu";
import type { Mamba2Spec } from "../../../sdk/model/attention-spec.js";
import { mamba2 } from "../../../sdk/model/attention/mamba-2.js";
import { attentionTensors } from "../../../sdk/model/attention/tensors.js";
import { ready, Rng, tf } from "../../../sdk/tensor/index.js";
import { close } from "../../support/close.js";
import "../../support/uvu.js";

await ready();

const D = 3, T = 5, H = 4, P = 2, G = 2, S = 3, inner = H * P;
const spec: Mamba2Spec = { kind: "mamba-2", heads: H, headDim: P, groups: G, state: S, kernel: 2, activation: "silu",
  bias: { in: false, convolution: true }, eps: 1e-6, step: { least: 0.5, most: 0.9 } };
const numbers = new Map(attentionTensors("attention", spec, D).map(({ name, shape }) => {
  const draws = new Rng(11).fork(name);
  return [name, { shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => draws.normal()) }];
}));
const x = Array.from({ length: T }, (_, t) => Float32Array.from({ length: D }, (_, d) => Math.sin(1 + 3 * t + d)));

/** The recurrence of arXiv:2405.21060 number by number. */
function byHand(): number[] {
  const of = (part: string) => numbers.get(`attention.${part}`)!.values;
  const silu = (v: number) => v / (1 + Math.exp(-v));
  const rows = inner + inner + 2 * G * S + H;
  const projected = x.map((row) =>
    Array.from({ length: rows }, (_, r) => row.reduce((sum, v, d) => sum + v * of("in")[r * D + d], 0))
  );
  const states = Array.from({ length: H * P * S }, () => 0);
  return projected.flatMap((row, t) => {
    const mixed = Array.from({ length: inner + 2 * G * S }, (_, c) => {
      const [now, before] = [row[inner + c], t > 0 ? projected[t - 1][inner + c] : 0];
      return silu(before * of("convolution")[2 * c] + now * of("convolution")[2 * c + 1] + of("convolution.bias")[c]);
    });
    const gated = Array.from({ length: inner }, (_, channel) => {
      const h = Math.floor(channel / P), g = Math.floor(h / (H / G));
      const soft = Math.log1p(Math.exp(row[rows - H + h] + of("stepBias")[h]));
      const step = Math.min(0.9, Math.max(0.5, soft));
      let y = of("skip")[h] * mixed[channel];
      for (let s = 0; s < S; s++) {
        const at = channel * S + s;
        states[at] = states[at] * Math.exp(-step * Math.exp(of("logDecay")[h]))
          + step * mixed[channel] * mixed[inner + g * S + s];
        y += states[at] * mixed[inner + G * S + g * S + s];
      }
      return y * silu(row[channel]);
    });
    const size = inner / G;
    const normed = gated.map((v, channel) => {
      const group = gated.slice(Math.floor(channel / size) * size, (Math.floor(channel / size) + 1) * size);
      return of("norm")[channel] * v / Math.sqrt(group.reduce((sum, w) => sum + w * w, 0) / size + 1e-6);
    });
    return Array.from({ length: D }, (_, d) => normed.reduce((sum, v, c) => sum + v * of("out")[d * inner + c], 0));
  });
}

test("limited steps, groups and the norm of each group, as the recurrence says", async () => {
  const weights = new Map([...numbers].map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]));
  const rows = tf.tensor2d(x.flatMap((row) => [...row]), [T, D]);
  const whole = tf.tidy(() => mamba2(rows, spec, weights, { B: 1, T, offset: 0, capacity: true }));
  close(await whole.data(), byHand(), 1e-4, "whole");

  const cache: { state?: Tensor; convolution?: Tensor } = {};
  const steps: number[] = [];
  for (let t = 0; t < T; t++) {
    const y = tf.tidy(() =>
      mamba2(tf.slice(rows, [t, 0], [1, D]), spec, weights, { B: 1, T: 1, offset: t, capacity: true }, cache)
    );
    steps.push(...await y.data());
    y.dispose();
  }
  close(steps, byHand(), 1e-4, "token by token");
  tf.dispose([rows, whole, cache.state!, cache.convolution!, ...weights.values()]);
});

test.run();
