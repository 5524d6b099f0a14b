import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { TemperatureSpec } from "../attention-spec.js";

/** [T, 1]: queries far into the text are made larger, so that attention stays sharp over more keys. */
export function temperatures({ floor, scale, first = 1 }: TemperatureSpec, T: number, offset: number): Tensor {
  return tf.tensor2d(
    Float32Array.from({ length: T }, (_, t) => 1 + scale * Math.log(1 + Math.floor((t + offset + first) / floor))),
    [T, 1],
  );
}
