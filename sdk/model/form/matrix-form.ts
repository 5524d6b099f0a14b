import type { RouterSpec } from "../router-spec.js";

/** What stands in the place of a matrix [out, in]; a matrix without a form is itself. See the file of each form. */
export type MatrixForm = LowRankSparse | Scaled | Blocks | Adapted;

/** U V + S with U [out, rank], V [rank, in], of which `rows` rows of S are stored. */
export interface LowRankSparse {
  form: "low-rank-sparse";
  rank: number;
  rows: number;
}

/** The matrix, and a vector that multiplies its inputs or its outputs. */
export interface Scaled {
  form: "scaled";
  side: "in" | "out";
}

/** `groups` matrices along the diagonal, of equal size; between two orders of inputs and outputs if `shuffled`. */
export interface Blocks {
  form: "blocks";
  groups: number;
  shuffled: boolean;
}

/** The matrix, and `adapters` products B A of low rank beside it, mixed for each token by a router of its inputs. */
export interface Adapted {
  form: "adapted";
  adapters: number;
  rank: number;
  /** multiplies what the adapters add */
  scale: number;
  router: RouterSpec;
}
