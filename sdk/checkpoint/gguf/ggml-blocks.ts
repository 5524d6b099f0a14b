import { codeTable, f8e4m3 } from "../../tensor/formats/float-format.js";
import { e2m1 } from "../../tensor/formats/mxfp4.js";
import { type BlockFormat, half, signed } from "./block-format.js";
import { gridFormats } from "./grid-blocks.js";

const { fround } = Math;

/** A half d, then 32 signed bytes: d q. */
const q8_0: BlockFormat = {
  values: 32,
  bytes: 34,
  decode(block, values) {
    const d = half(block, 0);
    for (let i = 0; i < 32; i++) values[i] = d * signed(block[2 + i]);
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

/** A half d, perhaps a half m, perhaps 32 upper bits, 16 bytes of low halves: d (q - zero) + m. */
function legacy(bits: 4 | 5, zero: number): BlockFormat {
  const from = zero ? 2 : 4, codes = from + (bits === 5 ? 4 : 0);
  return {
    values: 32,
    bytes: codes + 16,
    decode(block, values) {
      const d = half(block, 0), m = zero ? 0 : half(block, 2);
      for (let i = 0; i < 32; i++) {
        const low = (block[codes + (i & 15)] >> (i < 16 ? 0 : 4)) & 15;
        const q = bits === 5 ? low | (((block[from + (i >> 3)] >> (i & 7)) & 1) << 4) : low;
        values[i] = zero ? d * (q - zero) : fround(d * q) + m;
      }
    },
  };
}

/** Sixteen bytes of a scale and a minimum each, 64 of pairs of bits, halves d and m: d s q - m t, per 16 values. */
const q2_k: BlockFormat = {
  values: 256,
  bytes: 84,
  decode(block, values) {
    const d = half(block, 80), m = half(block, 82);
    for (let i = 0; i < 256; i++) {
      const scales = block[i >> 4];
      values[i] = fround(fround(d * (scales & 15)) * pairs(block, 16, i)) - fround(m * (scales >> 4));
    }
  },
};

/** Value i of pairs of bits: 128 values take 32 bytes, 32 of them each pair of a byte. */
const pairs = (block: Uint8Array, at: number, i: number) =>
  (block[at + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;

/** 32 bytes of upper bits, 64 of pairs, sixteen 6-bit scales s, a half d: d (s - 32) (q - 4), per 16 values. */
const q3_k: BlockFormat = {
  values: 256,
  bytes: 110,
  decode(block, values) {
    const d = half(block, 108);
    for (let i = 0; i < 256; i++) {
      const group = i >> 4;
      const low = (block[96 + (group & 7)] >> (4 * (group >> 3))) & 15;
      const high = (block[104 + (group & 3)] >> (2 * (group >> 2))) & 3;
      const upper = (block[i & 31] >> (i >> 5)) & 1;
      values[i] = fround(d * ((low | (high << 4)) - 32)) * (pairs(block, 32, i) - (upper ? 0 : 4));
    }
  },
};

/** As Q4_K, with 32 bytes of fifth bits before the codes. */
const q5_k: BlockFormat = {
  values: 256,
  bytes: 176,
  decode(block, values) {
    const d = half(block, 0), m = half(block, 2);
    for (let group = 0; group < 8; group++) {
      const [s, t] = scaleAndMinimum(block.subarray(4, 16), group);
      const scale = fround(d * s), minimum = fround(m * t);
      for (let i = 0; i < 32; i++) {
        const low = (block[48 + 32 * (group >> 1) + i] >> (4 * (group & 1))) & 15;
        values[32 * group + i] = fround(scale * (low | (((block[16 + i] >> group) & 1) << 4))) - minimum;
      }
    }
  },
};

/** A float d, 256 signed bytes, sums that only products need. */
const q8_k: BlockFormat = {
  values: 256,
  bytes: 292,
  decode(block, values) {
    const d = new DataView(block.buffer, block.byteOffset).getFloat32(0, true);
    for (let i = 0; i < 256; i++) values[i] = d * signed(block[4 + i]);
  },
};

/** Five digits of base 3 a byte as a fraction of 256, four in the last four bytes, a half d: d (digit - 1). */
const tq1_0: BlockFormat = {
  values: 256,
  bytes: 54,
  decode(block, values) {
    const d = half(block, 52);
    let to = 0;
    for (const [from, count, digits] of [[0, 32, 5], [32, 16, 5], [48, 4, 4]])
      for (let digit = 0; digit < digits; digit++)
        for (let i = 0; i < count; i++)
          values[to++] = d * ((((block[from + i] * 3 ** digit) & 255) * 3 >> 8) - 1);
  },
};

/** 64 bytes of pairs of bits, a half d: d (q - 1). */
const tq2_0: BlockFormat = {
  values: 256,
  bytes: 66,
  decode(block, values) {
    const d = half(block, 64);
    for (let i = 0; i < 256; i++) values[i] = d * (pairs(block, 0, i) - 1);
  },
};

/** A power of two, then 16 bytes with values i and i + 16 in their halves. */
const mxfp4: BlockFormat = {
  values: 32,
  bytes: 17,
  decode(block, values) {
    const d = 2 ** (block[0] - 127);
    for (let i = 0; i < 32; i++) values[i] = d * (e2m1[(block[1 + (i & 15)] >> (i < 16 ? 0 : 4)) & 15] + 0);
  },
};

/** Four F8_E4M3 scales, then for each eight bytes with values i and i + 8 in their halves. */
const nvfp4: BlockFormat = {
  values: 64,
  bytes: 36,
  decode(block, values) {
    for (let i = 0; i < 64; i++) {
      const scale = block[i >> 4] & 127, byte = block[4 + 8 * (i >> 4) + (i & 7)];
      const code = (i & 8 ? byte >> 4 : byte) & 15;
      values[i] = scale === 127 ? 0 : codeTable(f8e4m3)[scale] * (e2m1[code] + 0);
    }
  },
};

/** numbers of the codes of IQ4 */
const NON_LINEAR = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

const iq4_nl: BlockFormat = {
  values: 32,
  bytes: 18,
  decode(block, values) {
    const d = half(block, 0);
    for (let i = 0; i < 32; i++) values[i] = d * NON_LINEAR[(block[2 + (i & 15)] >> (i < 16 ? 0 : 4)) & 15];
  },
};

/** A half d, eight 6-bit scales s in six bytes, 128 bytes of codes: d (s - 32) x, per 32 values. */
const iq4_xs: BlockFormat = {
  values: 256,
  bytes: 136,
  decode(block, values) {
    const d = half(block, 0), high = block[2] | (block[3] << 8);
    for (let group = 0; group < 8; group++) {
      const low = (block[4 + (group >> 1)] >> (4 * (group & 1))) & 15;
      const scale = fround(d * ((low | (((high >> (2 * group)) & 3) << 4)) - 32));
      for (let i = 0; i < 32; i++)
        values[32 * group + i] = scale * NON_LINEAR[(block[8 + 16 * group + (i & 15)] >> (i < 16 ? 0 : 4)) & 15];
    }
  },
};

/** A half d and 128 signs: d or -d. */
const q1_0: BlockFormat = {
  values: 128,
  bytes: 18,
  decode(block, values) {
    const d = half(block, 0);
    for (let i = 0; i < 128; i++) values[i] = (block[2 + (i >> 3)] >> (i & 7)) & 1 ? d : -d;
  },
};

export const blockFormats: Readonly<Record<string, BlockFormat>> = { Q8_0: q8_0, Q4_0: legacy(4, 8), Q4_1: legacy(4, 0),
  Q5_0: legacy(5, 16), Q5_1: legacy(5, 0), Q2_K: q2_k, Q3_K: q3_k, Q4_K: q4_k, Q5_K: q5_k, Q6_K: q6_k, Q8_K: q8_k,
  Q1_0: q1_0, TQ1_0: tq1_0, TQ2_0: tq2_0, MXFP4: mxfp4, NVFP4: nvfp4, IQ4_NL: iq4_nl, IQ4_XS: iq4_xs, ...gridFormats };

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
