import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import type { OverSteps } from "../over-steps.js";
import { balanceLoss, type BalanceOptions } from "./balance.js";
import { clusterLoss, type ClusterOptions } from "./cluster.js";
import { deviceBalanceLoss } from "./device-balance.js";
import { entropyLoss } from "./entropy.js";
import { routerZLoss } from "./z-loss.js";

/** A loss that reads routers, with its weight; it is summed over the MoE layers. */
export type RouterLoss =
  & { weight: OverSteps }
  & (
    | ({ kind: "balance" } & BalanceOptions)
    | { kind: "z" }
    | { kind: "entropy" }
    | { kind: "device"; groups: number[][] }
    | ({ kind: "cluster" } & ClusterOptions)
  );

/** The loss of one layer, without its weight. */
export function routerLoss(record: MoeRecord, loss: RouterLoss): Tensor {
  switch (loss.kind) {
    case "balance":
      return balanceLoss(record, loss);
    case "z":
      return routerZLoss(record);
    case "entropy":
      return entropyLoss(record);
    case "device":
      return deviceBalanceLoss(record, loss);
    case "cluster":
      return clusterLoss(record, loss);
  }
}
