import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";

/** The numbers of a tensor; of one in float64 (see `asFloat64`) without rounding them to float32. */
export async function float64Data(x: Tensor): Promise<Float64Array> {
  return fused.doubles ? fused.doubles(x) : Float64Array.from(await x.data());
}
