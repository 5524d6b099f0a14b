import { tf } from "../../tensor/index.js";
import type { WeightSource } from "../weight-source.js";
import type { Form, Stored } from "./form.js";
import type { LowRankSparse } from "./matrix-form.js";

export function isLowRankSparse(form: { form: string } | undefined): form is LowRankSparse {
  return form?.form === lowRankSparse.form;
}

/**
 * MC-SMoE, section 3.3 of arXiv:2310.01334. A remainder S [out, in] is stored as its rows that are not zero, `….s`
 * [rows, in], and their numbers, `.s.rows`; without numbers it is whole, and without both it is zero. On the device it
 * is whole.
 */
export const lowRankSparse: Form<LowRankSparse> = {
  form: "low-rank-sparse",

  tensors: (
    { rank, rows },
    [out, width],
  ) => [{ name: ".u", shape: [out, rank] }, { name: ".v", shape: [rank, width] },
    ...(rows > 0 ? [{ name: ".s", shape: [rows, width], scattered: true as const }] : []),
    ...(rows > 0 && rows < out ? [{ name: ".s.rows", shape: [rows], index: true as const }] : [])],

  held: (form, [out]) => ({ ...form, rows: out }),

  whole: (_, part) => tf.add(tf.matMul(part(".u"), part(".v")), part(".s")),

  apply: (x, _, part) =>
    tf.add(tf.matMul(tf.matMul(x, part(".v"), false, true), part(".u"), false, true),
      tf.matMul(x, part(".s"), false, true)),

  async settle(form, [out, width], name, source) {
    const whole = await readRemainder(source, `${name}.s`, [out, width]);
    const rows = nonZeroRows(whole, width);
    const tensors: Stored = new Map();
    if (rows.length > 0) tensors.set(".s", { shape: [rows.length, width], values: cutRows(whole, width, rows) });
    if (rows.length > 0 && rows.length < out)
      tensors.set(".s.rows", { shape: [rows.length], values: Float32Array.from(rows) });
    return { form: { ...form, rows: rows.length }, tensors };
  },
};

/**
 * The whole remainder [out, in] of a matrix, row by row.
 *
 * @param name of the remainder, e.g. "layers.0.experts.3.up.s"
 */
export async function readRemainder(
  source: WeightSource,
  name: string,
  [out, width]: readonly number[],
): Promise<Float32Array> {
  const whole = new Float32Array(out * width);
  if (!source.has(name)) return whole;
  const kept = await source.values(name);
  if (!source.has(`${name}.rows`)) return kept;
  (await source.values(`${name}.rows`)).forEach((row, at) =>
    whole.set(kept.subarray(at * width, (at + 1) * width), row * width)
  );
  return whole;
}

/** The numbers of the rows that are not zero. */
export function nonZeroRows(remainder: Float32Array, width: number): number[] {
  return Array.from({ length: remainder.length / width }, (_, row) => row).filter((row) =>
    remainder.subarray(row * width, (row + 1) * width).some((value) => value !== 0)
  );
}

/** These rows of a remainder, one after the other. */
export function cutRows(remainder: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const cut = new Float32Array(rows.length * width);
  rows.forEach((row, at) => cut.set(remainder.subarray(row * width, (row + 1) * width), at * width));
  return cut;
}

/** An expert as specs had it before matrices had forms: all of its matrices alike, `rows` by matrix. */
export function withForms(slot: unknown): unknown {
  const { form, rank, rows, ...rest } = (slot ?? {}) as { form?: unknown; rank?: number;
    rows?: Record<string, number> };
  if (form !== lowRankSparse.form || typeof rows !== "object") return slot;
  return { form: "dense", ...rest,
    maps: Object.fromEntries(Object.entries(rows).map(([matrix, rows]) => [matrix, { form, rank, rows }])) };
}
