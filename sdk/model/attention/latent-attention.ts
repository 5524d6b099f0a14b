import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { attention, rmsNorm, tf } from "../../tensor/index.js";
import type { LatentAttentionSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { extend } from "./cache.js";
import { joinHeads, splitHeads } from "./heads.js";
import { applyRotary } from "./rotary.js";
import { showAttention } from "./show-attention.js";
import { temperatures } from "./temperatures.js";

/**
 * Multi-head latent attention: the stream is narrowed to one short vector per token, from which keys and values of
 * all heads are made; rotary channels stand apart, and those of the key are shared by all heads.
 * DeepSeek-V2, arXiv:2405.04434, equations 9 to 19. x [N, D] -> [N, D].
 *
 * @throws MoeError `too-many-tokens` beyond what a sparse index would choose
 */
export function latentAttention(
  x: Tensor,
  spec: LatentAttentionSpec,
  weights: LayerWeights,
  pass: Pass,
  cache?: LayerCache,
): Tensor {
  const { B, T } = pass;
  if (spec.tokens !== undefined && pass.offset + T > spec.tokens)
    throw new MoeError("too-many-tokens",
      `forward: a text has ${pass.offset + T} tokens, and from ${
        spec.tokens + 1
      } on a sparse index chooses which of them `
        + `this model sees; accepted are texts of at most ${spec.tokens}, which it sees whole. Give shorter texts.`);
  const { heads: H, nopeDim, ropeDim, valueDim, kvRank } = spec;
  const norm = (y: Tensor, part: string) => rmsNorm(y, weight(weights, `attention.${part}`), spec.eps);

  const flatQ = spec.qRank
    ? linear(norm(linear(x, weights, "attention.qDown"), "qNorm"), weights, "attention.qUp")
    : linear(x, weights, "attention.q");
  const q = splitHeads(flatQ, B, T, H);
  const [qPlain, qTurning] = tf.split(q, [nopeDim, ropeDim], 3);
  const [short, kTurning] = tf.split(linear(x, weights, "attention.kvDown"), [kvRank, ropeDim], 1);
  const kv = splitHeads(linear(norm(short, "kvNorm"), weights, "attention.kv"), B, T, H);
  const [kPlain, v] = tf.split(kv, [nopeDim, valueDim], 3);

  const [qTurned, kTurned] = applyRotary([qTurning, splitHeads(kTurning, B, T, 1)], spec.rotary, pass.offset);
  const everyHead = tf.tile(kTurned, [1, H, 1, 1]);
  const [keys, values] = extend(cache, tf.concat([kPlain, everyHead], 3), v);
  const plain = tf.concat([qPlain, qTurned], 3);
  const queries = spec.temperature ? tf.mul(plain, temperatures(spec.temperature, T, pass.offset)) : plain;
  const how = { scale: spec.scale, causal: spec.causal, queryOffset: pass.offset };
  showAttention(queries, keys, how, pass);
  const y = attention(queries, keys, values, how);
  return linear(joinHeads(y, B, T), weights, "attention.o");
}
