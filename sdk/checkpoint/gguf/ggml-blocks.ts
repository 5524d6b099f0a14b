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

const { fround } = Math;
const half = (block: Uint8Array, at: number) => codeTable(f16)[block[at] | (block[at + 1] << 8)];
const signed = (byte: number) => (byte << 24) >> 24;

/** A half d, then 32 signed bytes: d q. */
const q8_0: BlockFormat = {
  values: 32,
  bytes: 34,
  decode(block, values) {
    const d = half(block, 0);
    for (let i = 0; i < 32; i++) values[i] = d * signed(block[2 + i]);
  },
};

/** A half d, then 16 bytes with values i and i + 16 in their low and high half: d (q - 8). */
const q4_0: BlockFormat = {
  values: 32,
  bytes: 18,
  decode(block, values) {
    const d = half(block, 0);
    for (let i = 0; i < 16; i++) {
      values[i] = d * ((block[2 + i] & 15) - 8);
      values[i + 16] = d * ((block[2 + i] >> 4) - 8);
    }
  },
};

/**
 * Halves d and m, eight 6-bit scales s and minima t in 12 bytes, 128 bytes of 4-bit codes: d s q - m t, per 32 values.
 */
const q4_k: BlockFormat = {
  values: 256,
  bytes: 144,
  decode(block, values) {
    const d = half(block, 0);
    const m = half(block, 2);
    for (let group = 0; group < 8; group++) {
      const [s, t] = scaleAndMinimum(block.subarray(4, 16), group);
      const scale = fround(d * s);
      const minimum = fround(m * t);
      const codes = block.subarray(16 + 32 * (group >> 1));
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) values[32 * group + i] = fround(scale * ((codes[i] >> shift) & 15)) - minimum;
    }
  },
};

/**
 * The first four pairs take six bits of a byte each; the others a half byte and the two bits that the first left over.
 */
function scaleAndMinimum(packed: Uint8Array, group: number): [scale: number, minimum: number] {
  if (group < 4) return [packed[group] & 63, packed[group + 4] & 63];
  const halves = packed[group + 4];
  return [(halves & 15) | ((packed[group - 4] >> 6) << 4), (halves >> 4) | ((packed[group] >> 6) << 4)];
}

/**
 * 128 bytes of low halves, 64 of upper pairs of bits, sixteen signed scales s, a half d: d s (q - 32), per 16 values.
 */
const q6_k: BlockFormat = {
  values: 256,
  bytes: 210,
  decode(block, values) {
    const d = half(block, 208);
    for (let group = 0; group < 16; group++) {
      const scale = fround(d * signed(block[192 + group]));
      const [upper, quarter] = [group >> 3, (group >> 1) & 3]; // of 128 values, 32 of them
      for (let i = 0; i < 16; i++) {
        const at = 16 * (group & 1) + i;
        const low = (block[64 * upper + 32 * (quarter & 1) + at] >> (4 * (quarter >> 1))) & 15;
        const high = (block[128 + 32 * upper + at] >> (2 * quarter)) & 3;
        values[16 * group + i] = scale * ((low | (high << 4)) - 32);
      }
    }
  },
};

export const blockFormats = { Q8_0: q8_0, Q4_0: q4_0, Q4_K: q4_k, Q6_K: q6_k };

/** @param bytes whole blocks */
export function decodeBlocks(bytes: Uint8Array, format: BlockFormat): Float32Array {
  const count = bytes.length / format.bytes;
  const values = new Float32Array(count * format.values);
  for (let block = 0; block < count; block++) {
    format.decode(bytes.subarray(block * format.bytes, (block + 1) * format.bytes),
      values.subarray(block * format.values, (block + 1) * format.values));
  }
  return values;
}
