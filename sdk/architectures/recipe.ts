import type { ExpertsOptions } from "../model/with-experts.js";
import type { ClusterDropoutOptions } from "../train/rules/cluster-dropout.js";
import type { RisingKOptions } from "../train/rules/rising-k.js";
import type { LossOptions } from "../train/step-loss.js";

/** A paper's architecture and what it asks of training; both are plain JSON. */
export interface Recipe {
  /** beside a configuration or a ModelSpec: `moe.create({ ...config, ...recipe.experts })` */
  experts: ExpertsOptions;
  /** options of `.train()` beside steps and data */
  train: Pick<LossOptions, "losses" | "consistency" | "smoothing"> & { risingK?: RisingKOptions;
    clusterDropout?: ClusterDropoutOptions };
}
