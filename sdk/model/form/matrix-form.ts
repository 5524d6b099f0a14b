/** What stands in the place of a matrix [out, in]; a matrix without a form is itself. See the file of each form. */
export type MatrixForm = LowRankSparse;

/** U V + S with U [out, rank], V [rank, in], of which `rows` rows of S are stored. */
export interface LowRankSparse {
  form: "low-rank-sparse";
  rank: number;
  rows: number;
}
