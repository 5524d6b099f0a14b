import type { Tensor } from "@tensorflow/tfjs-core";

/** Router outputs [N, K] int32, best first, -1 for none, and what they were chosen by [N, K], 0 for none. */
export interface Picked {
  choice: Tensor;
  values: Tensor;
}

/** Router outputs [N, K] int32 and what each is worth [N, K], best first. */
export interface Choice {
  choice: Tensor;
  gates: Tensor;
}
