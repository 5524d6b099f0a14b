import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../../tensor/index.js";
import { type LayerWeights, weight } from "../../held-weights.js";
import { linear } from "../../linear.js";
import type { Pass } from "../../pass.js";
import type { RouterSpec } from "../../router-spec.js";
import type { LayerId } from "../../spec.js";
import { cosineScores } from "./cosine.js";
import { hashScores } from "./hash.js";
import { mlpScores } from "./mlp.js";
import { randomScores } from "./random.js";

/** Raw logits [N, E] of a layer's router for what its experts read, x [N, D]. */
export function score(
  x: Tensor,
  layer: LayerId,
  E: number,
  spec: RouterSpec,
  weights: LayerWeights,
  pass: Pass,
): Tensor2D {
  const by = spec.score ?? { kind: "linear" };
  const own = {
    linear: () => linear(x, weights, "router"),
    mlp: () => mlpScores(x, by as never, weights),
    cosine: () => cosineScores(x, by as never, weights),
    hash: () => hashScores(pass, E, by as never),
    random: () => randomScores(pass, layer, E, by as never),
  }[by.kind]() as Tensor2D;
  if (!by.carry) return own;
  const before = pass.carried;
  const logits = before
    ? tf.add(own, tf.matMul(before as never, weight(weights, "router.carry") as never, false, true))
    : own;
  pass.carried = logits;
  return logits as Tensor2D;
}
