import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { takeRows, tf } from "../tensor/index.js";
import type { Rows } from "./batch.js";
import type { PositionSpec } from "./spec.js";

/**
 * What is added to the embeddings for where the tokens stand.
 *
 * @param table weights of learned positions
 * @param offset position of the first token
 * @returns [N, D]
 * @throws MoeError `too-long` beyond the last learned position
 */
export function positions(
  rows: Rows,
  spec: PositionSpec,
  D: number,
  table: Tensor | undefined,
  offset: number,
): Tensor {
  return spec.kind === "learned" ? learned(rows, spec, table as Tensor, offset) : sinusoidal(rows, spec.pad, D, offset);
}

function learned({ B, T }: Rows, spec: { count: number; offset: number }, table: Tensor, offset: number): Tensor {
  if (offset + T > spec.count) {
    throw new MoeError("too-long",
      `forward: ${offset + T} tokens; accepted are ${spec.count}, for which the model has learned `
        + "positions. Give a shorter text.");
  }
  return takeRows(table,
    tf.tensor1d(Int32Array.from({ length: B * T }, (_, n) => (n % T) + offset + spec.offset), "int32"));
}

/**
 * Sines in the first half of the channels, cosines in the second, wavelengths from 2 pi to 10,000 x 2 pi.
 * arXiv:1706.03762, section 3.5.
 */
function sinusoidal({ B, T, ids }: Rows, pad: number, D: number, offset: number): Tensor {
  const half = Math.floor(D / 2);
  const table = new Float32Array(B * T * D);
  for (let b = 0; b < B; b++) {
    let seen = 0;
    for (let t = 0; t < T; t++) {
      if (ids[b * T + t] === pad) continue; // padding has the zeros of the pad token's own row
      const position = ++seen + offset + pad;
      const start = (b * T + t) * D;
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * Math.fround(Math.exp(-i * (Math.log(10000) / (half - 1)))));
        table[start + i] = Math.sin(angle);
        table[start + half + i] = Math.cos(angle);
      }
    }
  }
  return tf.tensor2d(table, [B * T, D]);
}
