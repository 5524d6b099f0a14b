import { MoeError, suggest } from "../../errors.js";
import { decode } from "./decode.js";
import { dtypeSizeBytes } from "./dtype-size.js";
import { encode } from "./encode.js";
import { tableFloats } from "./float-tables.js";
import { grouped } from "./grouped.js";
import { matrixRows, matrixShape } from "./matrix-shape.js";
import { mxfp4 } from "./mxfp4.js";
import type { Codec, NumberFormat, Parts } from "./number-format.js";
import { nvfp4 } from "./nvfp4.js";
import { scaledFloats } from "./scaled-floats.js";
import { sparse } from "./sparse.js";
import { ternary } from "./ternary.js";

/** What plain numbers are, in the same words. */
const plain: Codec<Extract<NumberFormat, { kind: "plain" }>> = {
  parts: ({ dtype }, shape) => ({ values: { dtype, shape: [...shape] } }),
  encode: (values, _, { dtype }) => ({ values: encode(values, dtype) }),
  decode({ values }, shape, { dtype }, range) {
    const { start, end } = matrixRows(shape, range), rowBytes = matrixShape(shape)[1] * dtypeSizeBytes[dtype]!;
    return decode(values.subarray(start * rowBytes, end * rowBytes), dtype);
  },
};

/** ggml's blocks are read by `ggml/`. */
const codecs: { [K in Exclude<NumberFormat["kind"], "ggml">]: Codec<Extract<NumberFormat, { kind: K }>> } = {
  plain,
  grouped,
  sparse,
  ternary,
  nf4: tableFloats,
  fp4: tableFloats,
  "fp8-blocks": scaledFloats,
  mxfp4,
  nvfp4,
} as never;

/** @throws MoeError `bad-format` for a kind that there is not */
export function codecOf<F extends NumberFormat>(format: F): Codec<F> {
  if (Object.hasOwn(codecs, format.kind)) return codecs[format.kind as "plain"] as unknown as Codec<F>;
  throw new MoeError("bad-format",
    `format: the kind is "${format.kind}". ${suggest(format.kind, Object.keys(codecs))}`);
}

/** Bytes of all parts, scales and masks included. */
export function packedBytes(format: NumberFormat, shape: readonly number[]): number {
  return Object.values(codecOf(format).parts(format, shape)).reduce(
    (sum, { dtype, shape: lengths }) =>
      sum + lengths.reduce((product, length) => product * length, dtypeSizeBytes[dtype]!),
    0,
  );
}

/** The nearest numbers that a format can hold: what reading gives after writing. */
export function roundTo(values: Float32Array, shape: readonly number[], format: NumberFormat): Float32Array {
  const codec = codecOf(format);
  const parts: Parts<Uint8Array> = codec.encode(values, shape, format);
  return codec.decode(parts, shape, codec.settled?.(format, parts) ?? format);
}
