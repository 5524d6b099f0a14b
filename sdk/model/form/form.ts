import type { Tensor } from "@tensorflow/tfjs-core";
import type { ExpectedTensor } from "../expected-tensor.js";
import type { WeightSource } from "../weight-source.js";

/** A matrix [out, in]. */
export type Shape = readonly [out: number, input: number];

/** The tensors of a matrix by what follows its name (".u"); several matrices of one form may be stacked [S, …]. */
export type Part = (suffix: string) => Tensor;

/**
 * What may stand in the place of a matrix [out, in]: everything that is known of one form. It changes what runs, and
 * what is stored; new forms are one file each beside this one, named in `forms.ts`.
 */
export interface Form<F extends { form: string }> {
  form: F["form"];
  /** What is stored; names follow that of the matrix: "", ".u". */
  tensors(form: F, shape: Shape): ExpectedTensor[];
  /** as it lies on the device while it runs or is trained; default as it is stored */
  held?(form: F, shape: Shape): F;
  /** what is stored of a held matrix, where the one follows from the other's numbers: of zeros that training left */
  settle?(form: F, shape: Shape, name: string, source: WeightSource): Promise<{ form: F; tensors: Stored }>;
  /** the matrices [(S,) out, in] that held tensors stand for; absent where there are none */
  whole?(form: F, part: Part, shape: Shape): Tensor;
  /** x [N, in] -> [N, out]; differentiable. Default: times the whole */
  apply?(x: Tensor, form: F, part: Part, shape: Shape): Tensor;
}

/** Tensors by what follows the name of the matrix. */
export type Stored = Map<string, { shape: number[]; values: Float32Array }>;
