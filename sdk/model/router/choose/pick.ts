import type { Tensor } from "@tensorflow/tfjs-core";
import { tf, topK } from "../../../tensor/index.js";
import type { Pass } from "../../pass.js";
import type { RouterSpec } from "../../router-spec.js";
import type { Picked } from "../chosen.js";
import { byExpert } from "./by-expert.js";
import { aboveThreshold, untilSum } from "./top-p.js";

/** The outputs that each token takes by its row of `rank` [N, E]; of equal ones the lower index. */
export function pick(rank: Tensor, { choose = { kind: "top" }, topK: K }: RouterSpec, pass: Pass): Picked {
  if (choose.kind === "by-expert") return byExpert(rank, choose, pass);
  const skip = choose.kind === "top" ? choose.skip ?? 0 : 0;
  const { values, indices } = topK(rank, K + skip);
  if (choose.kind === "top-p") return untilSum({ choice: indices, values }, choose.p);
  if (choose.kind === "threshold") return aboveThreshold({ choice: indices, values }, choose.at);
  if (skip === 0) return { choice: indices, values };
  return { choice: tf.slice(indices, [0, skip], [-1, K]), values: tf.slice(values, [0, skip], [-1, K]) };
}
