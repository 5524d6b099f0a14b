import { FormatError, MoeError } from "../../errors.js";
import type { Rows } from "./number-format.js";

/** Rows and columns of a weight: all axes but the last are rows. */
export function matrixShape(shape: readonly number[]): [rows: number, columns: number] {
  const columns = shape.at(-1) ?? 1;
  return [shape.slice(0, -1).reduce((product, length) => product * length, 1), columns];
}

/** The matrix's rows that belong to these of the first axis; all of them where none are said. */
export function matrixRows(shape: readonly number[], rows?: Rows): Rows {
  const [count] = matrixShape(shape);
  const each = shape.length < 2 ? 1 : count / (shape[0] || 1);
  return rows && shape.length > 1 ? { start: rows.start * each, end: rows.end * each } : { start: 0, end: count };
}

/** A format that a weight of this shape cannot have. */
export function badFormat(seen: string, accepted: string): MoeError {
  return new MoeError("bad-format", `format: ${seen}; accepted is ${accepted}. Choose another format.`);
}

export function notEncodable(seen: string, accepted: string): MoeError {
  return new MoeError("not-encodable", `encode: ${seen}; accepted is ${accepted}. Choose another format.`);
}

/** Packed bytes that no writer of the format makes. */
export function badParts(seen: string, accepted: string): FormatError {
  return new FormatError("packed", `decode: ${seen}; accepted is ${accepted}. Fetch or write the file again.`);
}

/** @throws MoeError `not-encodable` for NaN and infinity */
export function requireFinite(values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw notEncodable(`number ${at} is ${values[at]}`, "finite numbers");
}

/** @throws FormatError `packed` for a part that is absent or of another length */
export function requireBytes(parts: Record<string, Uint8Array>, lengths: Record<string, number>): void {
  for (const [part, length] of Object.entries(lengths)) {
    const seen = parts[part]?.length;
    if (seen !== length) throw badParts(`"${part}" has ${seen ?? "no"} bytes`, `${length}`);
  }
}

/** @throws FormatError `packed` for scales that no finite numbers have */
export function requireScales(scales: Float32Array, what = "scale"): void {
  const at = scales.findIndex((scale) => !Number.isFinite(scale));
  if (at >= 0) throw badParts(`${what} ${at} is ${scales[at]}`, "finite numbers");
}
