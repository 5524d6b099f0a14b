import type { Tensor } from "@tensorflow/tfjs";
import type { Activation } from "../../model/spec.js";

/** The experts of a layer that have one width, stacked: S slots, F expert width, D model width. */
export interface ExpertBank {
  /** [S, F, D] */
  up: Tensor;
  /** [S, F, D] of a gated expert */
  gate?: Tensor;
  /** [S, D, F] */
  down: Tensor;
  /** [S, F], [S, F], [S, D] */
  upBias?: Tensor;
  gateBias?: Tensor;
  downBias?: Tensor;
  activation: Activation;
}
