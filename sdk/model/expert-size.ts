import { expertTensors } from "./expected-tensors.js";
import type { ExpertSpec, MoeFfnSpec } from "./spec.js";

/** How many numbers an expert stores, and how many it multiplies with for one token. */
export interface ExpertSize {
  parameters: number;
  /** of these, what one token meets */
  active: number;
  multiplies: number;
}

/**
 * Counts one stored expert.
 * A gated expert has three matrices (up, gate, down), a plain one two. A matrix as a product of low rank and some
 * rows counts both factors and the rows, 2 r (D + F) + q E numbers for a plain expert of E = 2 D F when a share q of
 * the rows is kept; not the rows that are zero, nor where the others stand.
 *
 * @param width D
 * @example expertSize({ form: "dense", width: 3072 }, ffn, 768).parameters  // 4718592 of a plain expert without biases
 */
export function expertSize(expert: ExpertSpec, ffn: MoeFfnSpec, width: number): ExpertSize {
  const size = { parameters: 0, active: 0, multiplies: 0 };
  for (const { index, shape, met = 1 } of expertTensors("expert", expert, ffn, width)) {
    if (index) continue;
    const numbers = shape.reduce((product, length) => product * length, 1);
    size.parameters += numbers;
    size.active += met * numbers;
    if (shape.length > 1) size.multiplies += met * numbers;
  }
  return size;
}
