import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { ExpectedTensor } from "../expected-tensor.js";
import { readWeight } from "../read-weight.js";
import type { WeightSource } from "../weight-source.js";
import { adapted } from "./adapted.js";
import { blocks } from "./blocks.js";
import type { Form, Part, Shape } from "./form.js";
import { lowRankSparse, readRemainder } from "./low-rank-sparse.js";
import type { MatrixForm } from "./matrix-form.js";
import { scaled } from "./scaled.js";

const forms = [lowRankSparse, scaled, blocks, adapted] as unknown as readonly Form<MatrixForm>[];
const byName = new Map<string, Form<MatrixForm>>(forms.map((form) => [form.form, form]));

/** What may follow the name of a matrix in those of its form's tensors, the longest first. */
export const formSuffixes: readonly string[] = [".s.rows", ".u", ".v", ".s", ".scale", ".blocks", ".inputs", ".outputs",
  ".router.bias", ".router", ".a", ".b"];

function known(form: MatrixForm): Form<MatrixForm> {
  return byName.get(form.form)!;
}

/** What is stored of a matrix in this form; names follow that of the matrix. */
export function formTensors(form: MatrixForm, shape: Shape): ExpectedTensor[] {
  return known(form).tensors(form, shape);
}

/** The form in which a matrix lies on the device. */
export function heldForm(form: MatrixForm, shape: Shape): MatrixForm {
  return known(form).held?.(form, shape) ?? form;
}

/** The matrices that held tensors stand for, or undefined where there are none. */
export function wholeOf(form: MatrixForm, part: Part, shape: Shape): Tensor | undefined {
  return known(form).whole?.(form, part, shape);
}

/** Whether a matrix of this form is one that can be multiplied with. */
export function hasWhole(form: MatrixForm): boolean {
  return known(form).whole !== undefined;
}

/** x [N, in] -> [N, out] by a matrix in a form, from its held tensors. */
export function applyForm(x: Tensor, form: MatrixForm, part: Part, shape: Shape): Tensor {
  const { apply, whole } = known(form);
  return apply?.(x, form, part, shape) ?? tf.matMul(x, whole!(form, part, shape), false, true);
}

/** What is stored of a held matrix, where that follows from its numbers. */
export function settledForm(form: MatrixForm, shape: Shape, name: string, source: WeightSource) {
  return known(form).settle?.(form, shape, name, source);
}

/** A tensor as it lies on the device. @param tensor as held */
export async function readHeld(source: WeightSource, name: string, tensor: ExpectedTensor): Promise<Tensor> {
  if (!tensor.scattered) return readWeight(source, name);
  return tf.tensor(await readRemainder(source, name, tensor.shape), tensor.shape);
}

/** The numbers of a matrix in a form, row by row; undefined where it is none. */
export async function wholeValues(
  source: WeightSource,
  name: string,
  form: MatrixForm,
  shape: Shape,
): Promise<Float32Array | undefined> {
  if (!hasWhole(form)) return undefined;
  const held = heldForm(form, shape);
  const parts = new Map<string, Tensor>();
  try {
    for (const tensor of formTensors(held, shape))
      parts.set(tensor.name, await readHeld(source, name + tensor.name, tensor));
    const whole = tf.tidy(() => wholeOf(held, (suffix) => parts.get(suffix)!, shape)!);
    const values = (await whole.data()) as Float32Array;
    whole.dispose();
    return values;
  } finally {
    tf.dispose([...parts.values()]);
  }
}
