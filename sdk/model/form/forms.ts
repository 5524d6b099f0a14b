import type { ExpectedTensor } from "../expected-tensor.js";
import type { Form, FormOf, MatrixForm } from "./form.js";
import { lowRankSparse } from "./low-rank-sparse.js";

const dense: Form<FormOf<"dense">> = { tensors: (_, shape) => [{ name: "", shape: [...shape] }] };

const forms: { [K in MatrixForm["form"]]: Form<FormOf<K>> } = { dense, "low-rank-sparse": lowRankSparse };

function formOf(form: MatrixForm): Form<MatrixForm> {
  return forms[form.form] as Form<MatrixForm>;
}

/** What is stored of a matrix in this form; names follow that of the matrix. */
export function formTensors(form: MatrixForm, shape: readonly [out: number, input: number]): ExpectedTensor[] {
  return formOf(form).tensors(form, shape);
}
