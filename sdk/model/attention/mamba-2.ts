import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, rmsNorm, tf } from "../../tensor/index.js";
import type { Mamba2Spec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { remember } from "./cache.js";
import { causalConvolution } from "./causal-convolution.js";
import { repeatHeads } from "./heads.js";

/**
 * State space duality: every head has a state of headDim x state numbers that fades by one number exp(step A) and takes
 * in step u B^T, where u, B, C and step are made from the token; its output is read from the state by C.
 *   S_t = exp(step_t A) S_(t-1) + step_t u_t B_t^T,  y_t = S_t C_t + skip u_t
 * A gate, always a SiLU, multiplies y before its norm. arXiv:2405.21060, section 7. x [N, D] -> [N, D]; token by token,
 * so time is linear in T.
 */
export function mamba2(x: Tensor, spec: Mamba2Spec, weights: LayerWeights, { B, T }: Pass, cache?: LayerCache): Tensor {
  const { heads: H, headDim: P, groups: G, state: S } = spec;
  const inner = H * P, N = B * T;
  const [gate, into, rawStep] = tf.split(linear(x, weights, "attention.in"), [inner, inner + 2 * G * S, H], 1);
  const mixed = activate(causalConvolution(tf.reshape(into, [B, T, -1]), weights, "attention.convolution", cache),
    spec.activation);
  const [u0, b0, c0] = tf.split(mixed, [inner, G * S, G * S], 2);
  const u = tf.reshape(u0, [B, T, H, P]);
  const [intoState, outOfState] = [b0, c0].map((part) => repeatHeads(tf.reshape(part, [B, T, G, S]), H / G));
  const { least = 0, most = Infinity } = spec.step ?? {};
  const softened = tf.softplus(tf.add(rawStep, weight(weights, "attention.stepBias")));
  const step = tf.reshape(least > 0 || most < Infinity ? tf.clipByValue(softened, least, most) : softened, [B, T, H]);
  const fade = tf.exp(tf.neg(tf.mul(step, tf.exp(weight(weights, "attention.logDecay")))));
  const fresh = tf.mul(u, tf.expandDims(step, 3));

  let state: Tensor = cache?.state ?? tf.zeros([B, H, P, S]);
  const outputs: Tensor[] = [];
  for (let t = 0; t < T; t++) {
    const at = (y: Tensor, rows: number, columns: number) =>
      tf.reshape(tf.slice(y, [0, t], [B, 1]), [B, H, rows, columns]);
    state = tf.add(tf.mul(state, at(fade, 1, 1)), tf.mul(at(fresh, P, 1), at(intoState, 1, S)));
    outputs.push(tf.reshape(tf.matMul(state, at(outOfState, S, 1)), [B, 1, H, P]));
  }
  if (cache) remember(cache, "state", state);
  const y = tf.add(tf.concat(outputs, 1), tf.mul(u, tf.reshape(weight(weights, "attention.skip"), [H, 1])));
  const gated = tf.mul(tf.reshape(y, [N, inner]), activate(gate, "silu"));
  const normed = rmsNorm(tf.reshape(gated, [N * G, inner / G]), tf.ones([inner / G]), spec.eps);
  return linear(tf.mul(tf.reshape(normed, [N, inner]), weight(weights, "attention.norm")), weights, "attention.out");
}
