import { FormatError } from "../../errors.js";
import { decodeBf16 } from "./bf16.js";
import { unpackBits } from "./bits.js";
import type { Dtype } from "./dtype.js";
import { codeTable, f16, f4e2m1, f6e2m3, f6e3m2, f8e4m3, f8e4m3fnuz, f8e5m2, f8e5m2fnuz } from "./float-format.js";
import { decodeInt64 } from "./int64.js";
import { decodeMxfp4 } from "./mxfp4.js";
import { decodeNatively } from "./native-decode.js";

/**
 * Numbers as float32 from little-endian bytes; what float32 cannot hold is rounded to nearest, ties to even.
 * F32 bytes that lie on a multiple of 4 come back as a view of the same memory, everything else as fresh memory.
 *
 * @param bytes of MXFP4: all blocks (16 bytes each), then all scales (1 byte each)
 * @throws FormatError `dtype-length` when the bytes are not a whole number of elements
 */
export function decode(bytes: Uint8Array, dtype: Dtype): Float32Array {
  switch (dtype) {
    case "F32":
      return elements(bytes, dtype, Float32Array);
    case "F64":
      return Float32Array.from(elements(bytes, dtype, Float64Array));
    case "BF16":
      return decodeNatively(wholeElements(bytes, dtype, 2), dtype) ?? decodeBf16(elements(bytes, dtype, Uint16Array));
    case "F16":
      return decodeNatively(wholeElements(bytes, dtype, 2), dtype)
        ?? lookUp(elements(bytes, dtype, Uint16Array), codeTable(f16));
    case "F8_E4M3":
      return decodeNatively(bytes, dtype) ?? lookUp(bytes, codeTable(f8e4m3));
    case "F8_E5M2":
      return decodeNatively(bytes, dtype) ?? lookUp(bytes, codeTable(f8e5m2));
    case "F8_E4M3FNUZ":
      return lookUp(bytes, codeTable(f8e4m3fnuz));
    case "F8_E5M2FNUZ":
      return lookUp(bytes, codeTable(f8e5m2fnuz));
    case "F8_E8M0": // a power of two; 255 is NaN
      return Float32Array.from(bytes, (code) => (code === 255 ? NaN : 2 ** (code - 127)));
    case "F4":
      return lookUp(unpackBits(bytes, 4, 2 * bytes.length), codeTable(f4e2m1));
    case "F6_E2M3":
    case "F6_E3M2":
      return lookUp(unpackBits(wholeElements(bytes, dtype, 3), 6, bytes.length / 3 * 4),
        codeTable(dtype === "F6_E2M3" ? f6e2m3 : f6e3m2));
    case "C64":
      throw new FormatError("complex",
        "decode: the numbers are complex (C64); accepted are real ones. Convert the tensor to F32 or BF16.");
    case "I64":
      return decodeInt64(elements(bytes, dtype, BigInt64Array));
    case "U64":
      return decodeInt64(elements(bytes, dtype, BigUint64Array));
    case "I32":
      return Float32Array.from(elements(bytes, dtype, Int32Array));
    case "U32":
      return Float32Array.from(elements(bytes, dtype, Uint32Array));
    case "I16":
      return Float32Array.from(elements(bytes, dtype, Int16Array));
    case "U16":
      return Float32Array.from(elements(bytes, dtype, Uint16Array));
    case "I8":
      return Float32Array.from(elements(bytes, dtype, Int8Array));
    case "U8":
      return Float32Array.from(bytes);
    case "BOOL":
      return Float32Array.from(bytes, (byte) => (byte ? 1 : 0));
    case "MXFP4": {
      const blocks = Math.floor(bytes.length / 17) * 16;
      return decodeMxfp4(bytes.subarray(0, blocks), bytes.subarray(blocks));
    }
    default:
      throw new FormatError("unknown-dtype",
        `decode: dtype ${dtype} is not known. Convert the checkpoint to F32 or BF16.`);
  }
}

function lookUp(codes: Uint8Array | Uint16Array, table: Float32Array): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]];
  return values;
}

interface ElementArray<T> {
  new(buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** The bytes seen as elements; copied first when they do not lie on a multiple of the element size. */
function elements<T>(bytes: Uint8Array, dtype: Dtype, type: ElementArray<T>): T {
  const size = type.BYTES_PER_ELEMENT;
  wholeElements(bytes, dtype, size);
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new type(buffer, byteOffset, bytes.length / size);
}

function wholeElements(bytes: Uint8Array, dtype: Dtype, size: number): Uint8Array {
  if (bytes.length % size !== 0) {
    throw new FormatError("dtype-length",
      `decode: ${bytes.length} bytes of ${dtype}; accepted is a multiple of ${size}. The tensor is cut `
        + "short: download it again.");
  }
  return bytes;
}
