import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, rmsNorm, tf } from "../../tensor/index.js";
import type { MambaSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { remember } from "./cache.js";
import { causalConvolution } from "./causal-convolution.js";

/**
 * Selective state space: every channel has a state that fades by exp(step A) and takes in step B u, where step, B and
 * C are made from the token; the gate is always a SiLU. arXiv:2312.00752, algorithm 2. x [N, D] -> [N, D]; token by
 * token.
 */
export function mamba(x: Tensor, spec: MambaSpec, weights: LayerWeights, { B, T }: Pass, cache?: LayerCache): Tensor {
  const { inner: C, state: S, stepRank } = spec;
  const [input, gate] = tf.split(tf.reshape(linear(x, weights, "attention.in"), [B, T, 2 * C]), 2, 2);
  const u = activate(causalConvolution(input, weights, "attention.convolution", cache), spec.activation);
  const selected = tf.split(linear(tf.reshape(u, [B * T, C]), weights, "attention.select"), [stepRank, S, S], 1);
  const [rank, intoState, outOfState] = ["step", "b", "c"].map((part, i) =>
    spec.eps === undefined ? selected[i] : rmsNorm(selected[i], weight(weights, `attention.${part}Norm`), spec.eps)
  );
  const step = tf.reshape(tf.softplus(linear(rank, weights, "attention.step")), [B, T, C]);

  const decay = tf.neg(tf.exp(weight(weights, "attention.logDecay"))); // [C, S]
  let state: Tensor = cache?.state ?? tf.zeros([B, C, S]);
  const outputs: Tensor[] = [];
  for (let t = 0; t < T; t++) {
    const at = (y: Tensor, rows: number, columns: number) =>
      tf.reshape(tf.slice(tf.reshape(y, [B, T, -1]), [0, t, 0], [B, 1, rows * columns]), [B, rows, columns]);
    const dt = at(step, C, 1);
    const fresh = tf.mul(tf.mul(dt, at(u, C, 1)), at(intoState, 1, S));
    state = tf.add(tf.mul(state, tf.exp(tf.mul(dt, decay))), fresh);
    outputs.push(tf.matMul(state, at(outOfState, S, 1))); // [B, C, 1]
  }
  if (cache) remember(cache, "state", state);
  const y = tf.add(tf.transpose(tf.concat(outputs, 2), [0, 2, 1]), tf.mul(u, weight(weights, "attention.skip")));
  return linear(tf.reshape(tf.mul(y, activate(gate, "silu")), [B * T, C]), weights, "attention.out");
}
