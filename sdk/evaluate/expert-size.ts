import type { ExpertSpec, MoeFfnSpec } from "../model/spec.js";

/** How many numbers an expert stores, and how many it multiplies with for one token. */
export interface ExpertSize { parameters: number; multiplies: number }

/**
 * Counts one stored expert.
 * A gated expert has three matrices (up, gate, down), a plain one two. `low-rank-sparse` keeps for each matrix
 * two factors of the rank and some whole rows of the remainder: 2 r (D + F) + q E numbers for a plain expert of
 * E = 2 D F when a share q of the rows is kept. The positions of the kept rows are not counted.
 * `zero` stores and multiplies nothing.
 *
 * @param width D
 * @example expertSize({ form: "dense", width: 3072 }, { gated: false, bias: false }, 768).parameters  // 4718592
 */
export function expertSize(expert: ExpertSpec, ffn: Pick<MoeFfnSpec, "gated" | "bias">, width: number): ExpertSize {
  const F = expert.width;
  const matrices = [
    { name: "up", out: F, in: width },
    ...(ffn.gated ? [{ name: "gate", out: F, in: width }] : []),
    { name: "down", out: width, in: F },
  ];
  const biases = ffn.bias ? matrices.reduce((sum, matrix) => sum + matrix.out, 0) : 0;
  const sum = (entries: (matrix: (typeof matrices)[number]) => number): ExpertSize => {
    const multiplies = matrices.reduce((total, matrix) => total + entries(matrix), 0);
    return { parameters: multiplies + biases, multiplies };
  };
  switch (expert.form) {
    case "dense":
      return sum((matrix) => matrix.out * matrix.in);
    case "low-rank-sparse":
      return sum((matrix) => expert.rank * (matrix.out + matrix.in) + (expert.rows[matrix.name] ?? 0) * matrix.in);
    case "zero":
      return { parameters: 0, multiplies: 0 };
  }
}
