import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import { dtypeSizeBytes } from "./dtype-size.js";
import { encode } from "./encode.js";
import { badFormat, badParts, matrixRows, matrixShape, notEncodable, requireBytes } from "./matrix-shape.js";
import type { Codec, SparseFormat } from "./number-format.js";

/** Numbers that there is room for. */
function roomOf({ of, count }: SparseFormat, rows: number, columns: number): number {
  if (!of) {
    if (count !== undefined && Number.isInteger(count) && count >= 0 && count <= rows * columns) return count;
    throw badFormat(`count is ${count} of ${rows * columns} numbers`, `0 to ${rows * columns}`);
  }
  const [keep, group] = of;
  if (!(Number.isInteger(keep) && Number.isInteger(group) && 1 <= keep && keep <= group && group <= 256))
    throw badFormat(`of is [${of}]`, "[keep, group] with 1 <= keep <= group <= 256");
  if (columns % group !== 0) throw badFormat(`of is [${of}] for ${columns} inputs`, `a group that divides ${columns}`);
  return rows * (columns / group) * keep;
}

/**
 * A bit mask [out, in / 8], lowest bit first, and the numbers that it marks, row by row. With `of` each group has its
 * own room; a group of fewer numbers marks zeros too, so that the numbers of a row have a place that is known.
 */
export const sparse: Codec<SparseFormat> = {
  parts(format, shape) {
    const [rows, columns] = matrixShape(shape);
    const room = roomOf(format, rows, columns);
    return { mask: { dtype: "U8", shape: [rows, Math.ceil(columns / 8)] },
      values: { dtype: format.values, shape: format.of ? [rows, room / (rows || 1)] : [room] } };
  },
  encode(values, shape, format) {
    const [rows, columns] = matrixShape(shape);
    const marked = Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
    if (format.of) fill(marked, columns, format.of);
    const held = values.filter((_, at) => marked[at]);
    const room = format.of || format.count !== undefined ? roomOf(format, rows, columns) : held.length;
    if (held.length > room)
      throw notEncodable(`${held.length} numbers are not zero`, `at most ${room}`);
    const stored = new Float32Array(room);
    stored.set(held);
    return { mask: packBits(marked, 1, columns), values: encode(stored, format.values) };
  },
  decode(parts, shape, format, range) {
    const [rows, columns] = matrixShape(shape);
    const each = dtypeSizeBytes[format.values]!, width = Math.ceil(columns / 8);
    requireBytes(parts, { mask: rows * width, values: each * roomOf(format, rows, columns) });
    const { start, end } = matrixRows(shape, range);
    const before = format.of
      ? start * (columns / format.of[1]) * format.of[0]
      : ones(parts.mask.subarray(0, start * width));
    const marked = unpackBits(parts.mask.subarray(start * width, end * width), 1, columns);
    if (format.of) requirePattern(marked, columns, format.of);
    const count = marked.reduce((sum, bit) => sum + bit, 0);
    if (before + count > parts.values.length / each)
      throw badParts(`the mask marks ${before + count} numbers of ${parts.values.length / each}`, "one for each mark");
    const stored = decode(parts.values.subarray(before * each, (before + count) * each), format.values);
    const values = new Float32Array(marked.length);
    for (let at = 0, next = 0; at < marked.length; at++) if (marked[at]) values[at] = stored[next++];
    return values;
  },
  settled: (format, { values }) =>
    format.of || format.count !== undefined
      ? format
      : { ...format, count: values.length / dtypeSizeBytes[format.values]! },
};

/** Marks zeros of groups that have room left, the first first. */
function fill(marked: Uint8Array, columns: number, [keep, group]: readonly [number, number]): void {
  if (columns % group !== 0) return;
  for (let from = 0; from < marked.length; from += group) {
    let left = keep;
    for (let at = from; at < from + group; at++) left -= marked[at];
    if (left < 0) throw notEncodable(`${keep - left} of ${group} numbers in a row are not zero`, `at most ${keep}`);
    for (let at = from; left > 0; at++) if (!marked[at]) marked[at] = 1, left--;
  }
}

function requirePattern(marked: Uint8Array, columns: number, [keep, group]: readonly [number, number]): void {
  for (let from = 0; from < marked.length; from += group) {
    let count = 0;
    for (let at = from; at < from + group; at++) count += marked[at];
    if (count !== keep)
      throw badParts(`the mask of row ${Math.floor(from / columns)} marks ${count} of ${group} inputs`, `${keep}`);
  }
}

/** Bits that are set. */
export function ones(bytes: Uint8Array): number {
  let count = 0;
  for (let byte of bytes) for (; byte; byte &= byte - 1) count++;
  return count;
}
