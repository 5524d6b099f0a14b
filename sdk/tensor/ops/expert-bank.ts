import type { Tensor } from "@tensorflow/tfjs-core";
import type { Activation } from "./activation.js";

/** The experts of a layer that have one width, stacked: S slots, F expert width, D model width. */
export interface ExpertBank {
  /** [S, F, D] */
  up: Tensor;
  /** [S, F, D] of a gated expert: activation(x gate^T) * (x up^T) instead of activation(x up^T) */
  gate?: Tensor;
  /** [S, D, F] */
  down: Tensor;
  /** [S, F], [S, F], [S, D] */
  upBias?: Tensor;
  gateBias?: Tensor;
  downBias?: Tensor;
  activation: Activation;
  /**
   * of a gated expert: gate and up are cut at +- this and the hidden vector is gate sigmoid(1.702 gate) (up + 1), as in
   * gpt-oss
   */
  clamp?: number;
}

export type ExpertsMode = "masked" | "padded" | "loop";
