import type { Tensor2D } from "@tensorflow/tfjs-core";
import { Rng, tf } from "../../../tensor/index.js";
import type { Pass } from "../../pass.js";
import type { RouterScore } from "../../router-spec.js";
import type { LayerId } from "../../spec.js";

/**
 * Uniform numbers, drawn anew for each layer and pass: one row for the batch, for each sequence, or for each token. A
 * token's draw follows from its place alone, not from how many tokens there are.
 */
export function randomScores(
  { seed = 0, B, T, offset }: Pass,
  layer: LayerId,
  E: number,
  { draw }: Extract<RouterScore, { kind: "random" }>,
): Tensor2D {
  const scores = new Float32Array(B * T * E);
  const rng = new Rng(`${seed} ${layer}`);
  for (let n = 0; n < B * T; n++) {
    const [b, t] = [Math.floor(n / T), n % T];
    const place = draw === "batch" ? "" : draw === "sequence" ? `${b}` : `${b} ${offset + t}`;
    const own = rng.fork(place);
    for (let e = 0; e < E; e++) scores[n * E + e] = own.next();
  }
  return tf.tensor2d(scores, [B * T, E]);
}
