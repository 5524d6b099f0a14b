import type { MatrixForm } from "../../model/form/matrix-form.js";
import type { NumberFormat, Parts } from "../../tensor/formats/number-format.js";

/** What a fitter is asked for. */
export interface Want {
  /** absent: the matrix itself, with other numbers */
  form?: MatrixForm;
  /** how the numbers are to be stored; absent: as plain ones */
  format?: NumberFormat;
  /** inputs that stay, in this order: the others are taken away, and the result has a column for each of these */
  keep?: readonly number[];
  options: Readonly<Record<string, unknown>>;
}

/** What a fitter may look at beside its matrix. */
export interface Seen {
  /** @returns the numbers of the statistic that the plan names, for this weight */
  statistic(): Promise<Float32Array>;
}

/**
 * What it found: the tensors of the form by suffix ("u", "s.rows"); the numbers of the matrix, row by row; or the parts
 * of the format, as its codec would write them.
 */
export type Fitted = { factors: Record<string, Float32Array> } | { values: Float32Array } | {
  codes: Parts<Uint8Array>;
};

/** What finding it takes, numbers being of four bytes. */
export interface FitWork {
  /** held at once beside the matrix, the statistic and the result */
  holds: number;
  multiplies?: number;
  decompositions?: [rows: number, columns: number][];
}

/**
 * Finds what is stored in place of a matrix [out, in]; one file each beside this one, by name in `fitters.ts`. The same
 * matrix, options and statistic give the same numbers.
 */
export interface Fitter {
  /** @throws MoeError `bad-plan` for options that it does not take */
  check?(want: Want, shape: readonly [out: number, input: number]): void;
  /** shape of the statistic that it reads for a matrix of this shape, as Gram matrices of inputs are [in, in] */
  statistic?(shape: readonly [out: number, input: number], want: Want): readonly number[];
  /** the statistic may have fewer rows, as samples of inputs have */
  upTo?: true;
  /** @param weight the fitter's own: it may write there */
  fit(weight: Float32Array, shape: readonly [out: number, input: number], want: Want, seen: Seen): Promise<Fitted>;
  work(shape: readonly [out: number, input: number], want: Want): FitWork;
}
