import type { Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../../tensor/index.js";
import type { Pass } from "../../pass.js";
import type { RouterScore } from "../../router-spec.js";

/** Numbers from 0 to 1 that follow from token id, expert and seed: a fixed random choice for every word. */
export function hashScores(
  { ids, B, T }: Pass,
  E: number,
  { seed = 0 }: Extract<RouterScore, { kind: "hash" }>,
): Tensor2D {
  const scores = new Float32Array(B * T * E);
  for (let n = 0; n < B * T; n++) for (let e = 0; e < E; e++) scores[n * E + e] = hashed(ids![n] * E + e, seed);
  return tf.tensor2d(scores, [B * T, E]);
}

/** murmur3's last steps, which spread neighbours apart */
function hashed(value: number, seed: number): number {
  let h = (value ^ Math.imul(seed + 1, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
