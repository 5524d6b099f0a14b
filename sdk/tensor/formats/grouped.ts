import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { roundHalfEven } from "./int4.js";
import { badFormat, badParts, matrixRows, matrixShape, notEncodable, requireBytes, requireFinite,
  requireScales } from "./matrix-shape.js";
import type { Codec, GroupedFormat, Parts, Rows } from "./number-format.js";

/** A grouped weight [out, in] unpacked: one code a number, so that fitters and other layouts work with it. */
export interface Grouped {
  /** [out, in] 0 to 2^bits - 1 */
  codes: Uint8Array;
  /** [out, groups] */
  scales: Float32Array;
  /** [out, groups]; absent for `zero: "none"` */
  zeros?: Float32Array;
  /** [in] the group of each input; absent: they follow one another */
  order?: Int32Array;
  /** [in] what each column was multiplied by; absent: 1 */
  inputs?: Float32Array;
}

/** Groups of a row. @throws MoeError `bad-format` for bits or a group that it cannot have */
export function groupsOf({ bits, group, order }: GroupedFormat, columns: number): number {
  if (!Number.isInteger(bits) || bits < 1 || bits > 8) throw badFormat(`bits are ${bits}`, "1 to 8");
  if (!Number.isInteger(group) || group < 0) throw badFormat(`group is ${group}`, "a whole number from 0 (the row)");
  if (group === 0 || columns === 0) return 1;
  if (columns % group !== 0 && !order)
    throw badFormat(`group is ${group} of ${columns} inputs`, `a divisor of ${columns}, or 0 for the whole row`);
  return Math.ceil(columns / group);
}

/** What is subtracted from a code where no zero is stored. */
const middle = (bits: number) => (bits === 1 ? 0.5 : 2 ** (bits - 1));

/** (code - zero) * scale, in float64 and rounded once; one bit: ± scale. */
export function groupedValues(
  { codes, scales, zeros, order, inputs }: Grouped,
  shape: readonly number[],
  format: GroupedFormat,
): Float32Array {
  const [rows, columns] = matrixShape(shape);
  const groups = groupsOf(format, columns), width = format.group || columns || 1;
  const values = new Float32Array(rows * columns);
  const zero = middle(format.bits), twice = format.bits === 1 && !zeros ? 2 : 1;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const place = row * groups + (order ? order[column] : Math.floor(column / width));
      values[at] = (codes[at] - (zeros ? zeros[place] : zero)) * twice * scales[place] / (inputs ? inputs[column] : 1);
      if (scales[place] === 0 && codes[at] !== (zeros ? zeros[place] : zero) && twice === 1)
        throw badParts(`the scale of row ${row}, group ${place - row * groups} is 0 and its codes are not`,
          "scales other than 0");
    }
  }
  return values;
}

/**
 * The nearest codes by each group's extent. Symmetric: 2 max|w| / (2^bits - 1) is the scale (one bit: mean |w|, best
 * in squares, arXiv:1603.05279); otherwise the extent with 0 in it by 2^bits - 1, and the code of 0 is the zero.
 * Scales are rounded to their dtype before codes are chosen.
 */
export function nearestGrouped(
  values: Float32Array,
  shape: readonly number[],
  format: GroupedFormat,
  order?: Int32Array,
): Grouped {
  requireFinite(values);
  const [rows, columns] = matrixShape(shape);
  const groups = groupsOf(format, columns), width = format.group || columns || 1;
  const { bits, zero } = format;
  const top = 2 ** bits - 1;
  const low = new Float64Array(rows * groups), high = new Float64Array(rows * groups);
  const sum = new Float64Array(rows * groups), count = new Uint32Array(rows * groups);
  const placeOf = (row: number, column: number) => row * groups + (order ? order[column] : Math.floor(column / width));
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const place = placeOf(row, column), value = values[at];
      if (value < low[place]) low[place] = value;
      else if (value > high[place]) high[place] = value;
      sum[place] += Math.abs(value);
      count[place]++;
    }
  }
  const scales = storedScales(Float32Array.from(low, (_, place) => {
    if (zero !== "none") return (high[place] - low[place]) / top;
    return bits === 1 ? sum[place] / (count[place] || 1) : 2 * Math.max(-low[place], high[place]) / top;
  }), format.scales);
  const zeros = zero === "none" ? undefined : Float32Array.from(scales, (scale, place) => {
    const exact = scale === 0 ? 0 : -low[place] / scale;
    return zero === "integer" ? Math.min(top, Math.max(0, roundHalfEven(exact))) : exact;
  });
  const stored = zero === "real" ? decode(encode(zeros!, format.scales), format.scales) : zeros;
  const codes = new Uint8Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const place = placeOf(row, column);
      codes[at] = nearestCode(values[at], scales[place], stored?.[place], bits);
    }
  }
  return { codes, scales, ...(stored && { zeros: stored }), ...(order && { order }) };
}

/** The code whose number is nearest, for fitters that go column by column. */
export function nearestCode(value: number, scale: number, zero: number | undefined, bits: number): number {
  if (bits === 1 && zero === undefined) return value < 0 ? 0 : 1;
  // a quotient of float32, so that the largest of a symmetric group is the tie that it is elsewhere
  const steps = scale === 0 ? 0 : Math.fround(value / scale), middle = zero ?? 2 ** (bits - 1);
  const code = Number.isInteger(middle) ? roundHalfEven(steps) + middle : roundHalfEven(steps + middle);
  return Math.min(2 ** bits - 1, Math.max(0, code));
}

/** Scales as they are read again. One that would become 0 is the smallest that does not. */
export function storedScales(scales: Float32Array, dtype: GroupedFormat["scales"]): Float32Array {
  const least = { F16: 2 ** -24, BF16: 2 ** -133, F32: 2 ** -149 }[dtype];
  const stored = decode(encode(scales.map((scale) => (scale === 0 ? 0 : Math.max(least, scale))), dtype), dtype);
  const beyond = stored.findIndex((scale) => !Number.isFinite(scale));
  if (beyond >= 0)
    throw notEncodable(`a scale is ${scales[beyond]}, which ${dtype} cannot hold`,
      "{ scales: \"F32\" }, or F16 to 65504");
  return stored;
}

/** @throws MoeError `not-encodable` for codes beyond their bits, or scales and zeros that the format cannot hold */
export function packGrouped(numbers: Grouped, shape: readonly number[], format: GroupedFormat): Parts<Uint8Array> {
  const [, columns] = matrixShape(shape);
  const { bits, zero } = format;
  const groups = groupsOf(format, columns), top = 2 ** bits - 1;
  const { codes, scales, zeros, order, inputs } = numbers;
  if (codes.some((code) => code > top)) throw notEncodable(`codes above ${top}`, `0 to ${top} for ${bits} bits`);
  if (!scales.every(Number.isFinite)) throw notEncodable("a scale that is no finite number", "finite scales");
  const parts: Parts<Uint8Array> = { codes: packBits(codes, bits, columns), scales: encode(scales, format.scales) };
  if (zero === "real") parts.zeros = encode(zeros!, format.scales);
  if (zero === "integer") {
    if (!zeros!.every((each) => Number.isInteger(each) && each >= 0 && each <= top))
      throw notEncodable("a zero that is no code", `whole numbers from 0 to ${top}`);
    parts.zeros = packBits(Uint8Array.from(zeros!), bits, groups);
  }
  if (format.inputs) parts.inputs = encode(inputs ?? new Float32Array(columns).fill(1), format.scales);
  if (format.order) parts.order = encode(Float32Array.from(order ?? naturalOrder(format, columns)), "I32");
  return parts;
}

/** @param rows of the first axis alone */
export function unpackGrouped(
  parts: Parts<Uint8Array>,
  shape: readonly number[],
  format: GroupedFormat,
  rows?: Rows,
): Grouped {
  const [, columns] = matrixShape(shape);
  const groups = groupsOf(format, columns);
  const { bits, zero, scales: dtype } = format;
  requireBytes(parts,
    Object.fromEntries(
      Object.entries(grouped.parts(format, shape)).map(
        ([part, { dtype: type, shape: lengths }]) => [part, lengths.reduce((a, b) =>
          a * b, type === "U8" ? 1 : type === "F16" || type === "BF16" ? 2 : 4)]
      ),
    ));
  const { start, end } = matrixRows(shape, rows);
  const own = (part: string, width: number) => parts[part].subarray(start * width, end * width);
  const scaleBytes = groups * (dtype === "F32" ? 4 : 2);
  const scales = decode(own("scales", scaleBytes), dtype);
  requireScales(scales);
  const zeros = zero === "none"
    ? undefined
    : zero === "real"
    ? decode(own("zeros", scaleBytes), dtype)
    : Float32Array.from(unpackBits(own("zeros", Math.ceil(groups * bits / 8)), bits, groups));
  if (zeros) requireScales(zeros, "zero");
  const order = format.order ? Int32Array.from(decode(parts.order, "I32")) : undefined;
  if (order) requireOrder(order, groups);
  const inputs = format.inputs ? decode(parts.inputs, dtype) : undefined;
  if (inputs) requireScales(inputs, "input");
  if (inputs?.includes(0)) throw badParts("the number of an input is 0", "numbers other than 0");
  return { codes: unpackBits(own("codes", Math.ceil(columns * bits / 8)), bits, columns), scales,
    ...(zeros && { zeros }), ...(order && { order }), ...(inputs && { inputs }) };
}

/** @throws FormatError `packed` for an input of a group that is not there */
export function requireOrder(order: Int32Array, groups: number): void {
  const at = order.findIndex((group) => group < 0 || group >= groups);
  if (at >= 0) throw badParts(`input ${at} is of group ${order[at]}`, `0 to ${groups - 1}`);
}

function naturalOrder({ group }: GroupedFormat, columns: number): Int32Array {
  return Int32Array.from({ length: columns }, (_, column) => (group ? Math.floor(column / group) : 0));
}

/** Integers of 1 to 8 bits with a scale per group, each row beginning with a byte of its own. */
export const grouped: Codec<GroupedFormat> = {
  parts(format, shape) {
    const [rows, columns] = matrixShape(shape);
    const groups = groupsOf(format, columns), { bits, zero, scales, order, inputs } = format;
    const scaled = { dtype: scales, shape: [rows, groups] };
    return {
      codes: { dtype: "U8", shape: [rows, Math.ceil(columns * bits / 8)] },
      scales: scaled,
      ...(zero === "real" && { zeros: scaled }),
      ...(zero === "integer" && { zeros: { dtype: "U8", shape: [rows, Math.ceil(groups * bits / 8)] } }),
      ...(order && { order: { dtype: "I32", shape: [columns] } }),
      ...(inputs && { inputs: { dtype: scales, shape: [columns] } }),
    };
  },
  encode: (values, shape, format) => packGrouped(nearestGrouped(values, shape, format), shape, format),
  decode(parts, shape, format, rows) {
    const { start, end } = matrixRows(shape, rows);
    return groupedValues(unpackGrouped(parts, shape, format, rows), [end - start, matrixShape(shape)[1]], format);
  },
};
