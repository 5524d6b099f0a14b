/** A float of at most 16 bits: sign, exponent, mantissa from the highest bit down. */
export interface FloatFormat {
  bits: 4 | 6 | 8 | 16;
  mantissaBits: number;
  bias: number;
  /** code of the largest finite number */
  largest: number;
  /** code of infinity; undefined where the format has none and overflow gives NaN */
  infinity?: number;
  nan: number;
}

export const f16: FloatFormat = { bits: 16, mantissaBits: 10, bias: 15, largest: 0x7bff, infinity: 0x7c00,
  nan: 0x7e00 };
export const f8e5m2: FloatFormat = { bits: 8, mantissaBits: 2, bias: 15, largest: 0x7b, infinity: 0x7c, nan: 0x7f };
/** the "fn" form: no infinities, and the top exponent holds numbers */
export const f8e4m3: FloatFormat = { bits: 8, mantissaBits: 3, bias: 7, largest: 0x7e, nan: 0x7f };

/** without infinity and -0, whose code is the only NaN */
export const f8e4m3fnuz: FloatFormat = { bits: 8, mantissaBits: 3, bias: 8, largest: 0x7f, nan: 0x80 };
export const f8e5m2fnuz: FloatFormat = { bits: 8, mantissaBits: 2, bias: 16, largest: 0x7f, nan: 0x80 };
/** of the Open Compute Project's microscaling: every code is a number */
export const f4e2m1: FloatFormat = { bits: 4, mantissaBits: 1, bias: 1, largest: 7, nan: 16 };
export const f6e2m3: FloatFormat = { bits: 6, mantissaBits: 3, bias: 1, largest: 31, nan: 64 };
export const f6e3m2: FloatFormat = { bits: 6, mantissaBits: 2, bias: 3, largest: 31, nan: 64 };

const tables = new Map<FloatFormat, Float32Array>();

/** The number of every code of a format. */
export function codeTable(format: FloatFormat): Float32Array {
  let table = tables.get(format);
  if (!table) {
    table = Float32Array.from({ length: 2 ** format.bits }, (_, code) => numberOf(code, format));
    tables.set(format, table);
  }
  return table;
}

function numberOf(code: number, { bits, mantissaBits, bias, largest, infinity, nan }: FloatFormat): number {
  if (code === nan) return NaN;
  const signBit = 2 ** (bits - 1);
  const sign = code & signBit ? -1 : 1;
  const magnitude = code & (signBit - 1);
  if (magnitude > largest) return magnitude === infinity ? sign * Infinity : NaN;
  const exponent = magnitude >> mantissaBits;
  const mantissa = (magnitude & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  return sign * (exponent === 0 ? 2 ** (1 - bias) * mantissa : 2 ** (exponent - bias) * (1 + mantissa));
}

/**
 * Writes the nearest code of each value, ties to the even code; beyond the largest number: infinity, or NaN where there
 * is none.
 */
export function encodeFloats(values: Float32Array, format: FloatFormat, codes: Uint8Array | Uint16Array): void {
  const { bits, mantissaBits, bias, largest, infinity = format.nan } = format;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const dropped = 23 - mantissaBits;
  const rebias = (127 - bias) << 23;
  const smallestNormal = rebias + (1 << 23);
  const subnormalScale = 2 ** (bias - 1 + mantissaBits);
  for (let i = 0; i < values.length; i++) {
    const magnitude = words[i] & 0x7fffffff;
    let code: number;
    if (magnitude > 0x7f800000) code = format.nan;
    else if (magnitude < smallestNormal) code = roundToEven(Math.abs(values[i]) * subnormalScale);
    else {
      const shifted = magnitude - rebias;
      code = (shifted + (1 << (dropped - 1)) - 1 + ((shifted >>> dropped) & 1)) >>> dropped;
      if (code > largest) code = infinity;
    }
    codes[i] = code | ((words[i] >>> 31) << (bits - 1));
  }
}

/** Nearest integer, ties to even, for 0 <= x < 2^51: adding 2^52 leaves no room for a fraction. */
export function roundToEven(x: number): number {
  return x + 2 ** 52 - 2 ** 52;
}
