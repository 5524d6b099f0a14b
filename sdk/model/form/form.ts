import type { ExpectedTensor } from "../expected-tensor.js";

/** What stands in the place of a matrix [out, in]: it changes what runs. New forms are a file each beside this one. */
export type MatrixForm =
  | { form: "dense" }
  /** U V + S, of which `rows` rows of S are stored */
  | { form: "low-rank-sparse"; rank: number; rows: number };

export type FormOf<K extends MatrixForm["form"]> = Extract<MatrixForm, { form: K }>;

/** Everything that is known of a form. */
export interface Form<F extends MatrixForm> {
  /** What is stored; names follow that of the matrix: "", ".u". */
  tensors(form: F, shape: readonly [out: number, input: number]): ExpectedTensor[];
}
