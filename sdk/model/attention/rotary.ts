import type { Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../../tensor/index.js";
import type { RotarySpec } from "../spec.js";

/** Cosines and sines [T, dim/2] of the rotary angles at positions offset … offset + T - 1. arXiv:2104.09864. */
export function rotaryTable(spec: RotarySpec, T: number, offset: number): { cos: Tensor2D; sin: Tensor2D } {
  const half = spec.dim / 2;
  const cos = new Float32Array(T * half), sin = new Float32Array(T * half);
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(1 / Math.pow(spec.theta, (2 * i) / spec.dim));
    for (let t = 0; t < T; t++) {
      const angle = Math.fround((t + offset) * frequency);
      cos[t * half + i] = Math.cos(angle);
      sin[t * half + i] = Math.sin(angle);
    }
  }
  return { cos: tf.tensor2d(cos, [T, half]), sin: tf.tensor2d(sin, [T, half]) };
}
