import { codeTable, f16 } from "../../tensor/formats/float-format.js";

/**
 * How ggml stores a run of values: `decode` writes one block's values from its bytes. Rounded to float32 at each step,
 * as the reference is.
 */
export interface BlockFormat {
  values: number;
  bytes: number;
  decode(block: Uint8Array, values: Float32Array): void;
}

/** The half at a byte. */
export const half = (block: Uint8Array, at: number) => codeTable(f16)[block[at] | (block[at + 1] << 8)];
export const signed = (byte: number) => (byte << 24) >> 24;
