import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { rotate, tf } from "../../tensor/index.js";
import type { RotarySpec } from "../attention-spec.js";
import { rotaryFrequencies } from "./rotary-frequencies.js";

/**
 * Turns the first channels of each head by its position: x [B, H, T, d] at positions offset … offset + T - 1.
 * arXiv:2104.09864.
 */
export function applyRotary(x: Tensor[], spec: RotarySpec, offset: number): Tensor[] {
  const { cos, sin } = rotaryTable(spec, x[0].shape[2] as number, offset);
  return x.map((part) => rotate(part, cos, sin, { interleaved: spec.interleaved }));
}

/** Cosines and sines [T, dim/2] of the rotary angles. */
function rotaryTable(spec: RotarySpec, T: number, offset: number): { cos: Tensor2D; sin: Tensor2D } {
  const { values, amplitude } = rotaryFrequencies(spec, offset + T);
  const half = values.length;
  const cos = new Float32Array(T * half), sin = new Float32Array(T * half);
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < half; i++) {
      // float32 as in the reference: far positions turn by thousands of radians
      const angle = Math.fround((t + offset) * values[i]);
      cos[t * half + i] = amplitude * Math.cos(angle);
      sin[t * half + i] = amplitude * Math.sin(angle);
    }
  }
  return { cos: tf.tensor2d(cos, [T, half]), sin: tf.tensor2d(sin, [T, half]) };
}
