import type { Dtype } from "./dtype.js";

/**
 * How the numbers of a weight lie in a file. It changes what is stored and what reading gives back, never what runs: a
 * ModelSpec does not know it.
 */
export type NumberFormat =
  | { kind: "plain"; dtype: Dtype }
  | GroupedFormat
  | SparseFormat
  | TernaryFormat
  | FloatTableFormat
  | ScaledFormat
  /** blocks of 32 four-bit floats of a row with one power of two each; codes and scales are U8 */
  | { kind: "mxfp4" }
  /** blocks of 16 four-bit floats of a row with an F8_E4M3 scale each, and one F32 that all scales are divided by */
  | { kind: "nvfp4" }
  /** a block type of ggml ("Q4_K"), the only part */
  | { kind: "ggml"; type: string };

/**
 * Integers of `bits`, one scale for each `group` inputs of a row (0: the whole row): w = (code - zero) * scale.
 * `zero` "none": codes are signed and stored plus 2^(bits-1), but one bit is a sign, w = ± scale; "integer": the zero
 * has as many bits as a code; "real": it is a number like the scales. `order`: groups of a row need not be
 * neighbours, each input says its group (GPTQ's act-order). `inputs`: each input has a number that its column was
 * multiplied by before, and is divided by again (AWQ's scales).
 */
export interface GroupedFormat {
  kind: "grouped";
  bits: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  group: number;
  zero: "none" | "integer" | "real";
  scales: "F16" | "BF16" | "F32";
  order?: true;
  inputs?: true;
}

/**
 * A mask of what is stored, and these numbers. `of: [2, 4]`: of four inputs at most two; absent: anywhere, at most
 * `count` in all (an encoder counts where it is not said).
 */
export interface SparseFormat {
  kind: "sparse";
  of?: readonly [keep: number, group: number];
  values: "F16" | "BF16" | "F32";
  count?: number;
}

/**
 * -1, 0 and 1 times one number. Where they are: as two bit masks, or as Golomb-coded gaps with a sign each, of `bytes`
 * (an encoder says how many).
 */
export interface TernaryFormat {
  kind: "ternary";
  positions: "masks" | "golomb";
  bytes?: number;
}

/**
 * Four-bit codes into a table of sixteen numbers from -1 to 1, times the largest magnitude of each `block` numbers;
 * blocks run over the whole matrix, row after row (bitsandbytes).
 */
export interface FloatTableFormat {
  kind: "nf4" | "fp4";
  block: number;
}

/** Eight-bit floats, with one scale for each block of so many rows and columns; 0: all of them. */
export interface ScaledFormat {
  kind: "fp8-blocks";
  rows: number;
  columns: number;
  codes: "F8_E4M3" | "F8_E5M2";
}

/** The tensors of a packed weight, by suffix: "codes", "scales", "zeros", "order", "inputs", "mask", "values". */
export type Parts<T> = Record<string, T>;

/** Rows of the first axis. */
export interface Rows {
  start: number;
  end: number;
}

/**
 * One file each in this folder; `codecOf` finds it. Decoding gives the same numbers on every machine. The last axis of
 * a shape is that of inputs, all others are rows.
 */
export interface Codec<F extends NumberFormat = NumberFormat> {
  /**
   * What is stored, in this order.
   * @throws MoeError `bad-format` for a format or shape that it cannot be
   */
  parts(format: F, shape: readonly number[]): Parts<{ dtype: Dtype; shape: number[] }>;
  /**
   * The nearest codes by the format's own rule; fitters give better ones.
   * @throws MoeError `not-encodable` for numbers that the format cannot hold
   */
  encode(values: Float32Array, shape: readonly number[], format: F): Parts<Uint8Array>;
  /**
   * @param parts of the whole weight
   * @param rows these alone
   * @throws FormatError `packed` for parts that no encoder writes
   */
  decode(parts: Parts<Uint8Array>, shape: readonly number[], format: F, rows?: Rows): Float32Array;
  /** the format with what only the encoder knows: the sizes of parts whose length depends on the numbers */
  settled?(format: F, parts: Parts<Uint8Array>): F;
}
