import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { temperatureOf } from "../../model/router/score/cosine.js";
import { oneHot, tf } from "../../tensor/index.js";

export interface ClusterOptions {
  /** C: runs of E / C neighbours */
  clusters: number;
  /** weight of the variance; default 1 */
  mu?: number;
  /**
   * where probabilities shall be equal: "clusters" (default), within each, their variances averaged; "all", over all
   * experts; "gap", as "clusters", divided by e to the gap of mean probability between the strongest and the second
   * strongest run of E / C experts after sorting
   */
  within?: "clusters" | "all" | "gap";
  /** of the softmax over cosines; default 0.07, whatever the gate's is */
  temperature?: number;
}

/** what every share gets in the released code */
const LEAST = 1e-6;

/**
 * Cluster loss of MoEC, arXiv:2207.09094 as released: E (sum_i m_i c_i + mu variance), with m_i the sum over tokens of
 * probability i, c_i the share of tokens that chose i, and the unbiased variance of m inside clusters. Masked outputs
 * take no part and clusters are runs of those that are left; where these do not divide evenly, all are one.
 */
export function clusterLoss(record: MoeRecord, options: ClusterOptions): Tensor {
  const { clusters, mu = 1, within = "clusters", temperature = 0.07 } = options;
  const { router, experts } = record.spec;
  return tf.tidy(() => {
    const masked = new Set(router.masked);
    const open = Array.from({ length: experts }, (_, e) => e).filter((e) => !masked.has(e));
    const E = open.length;
    const scale = router.score?.kind === "cosine" ? temperatureOf(router.score, record.weights) : 1;
    const scores = tf.mul(masked.size ? tf.gather(record.logits, tf.tensor1d(open, "int32"), 1) : record.logits, scale);
    const N = scores.shape[0] as number;
    const real = record.real ? tf.tensor2d(Float32Array.from(record.real), [N, 1]) : tf.ones([N, 1]);
    const m = tf.sum(tf.mul(tf.softmax(tf.div(scores, temperature)), real), 0);
    const first = tf.mul(oneHot(tf.argMax(scores, -1), E), real);
    const c = tf.add(tf.div(tf.sum(first, 0), tf.maximum(tf.sum(real), 1)), LEAST);
    const balance = tf.sum(tf.mul(m, c));
    if (mu === 0) return tf.mul(balance, E);
    const even = E % clusters === 0 && within !== "all";
    const runs = tf.reshape(m, even ? [clusters, E / clusters] : [1, E]);
    const centred = tf.sub(runs, tf.mean(runs, 1, true));
    let spread = tf.mean(tf.div(tf.sum(tf.square(centred), 1), runs.shape[1]! - 1)) as Tensor;
    if (even && within === "gap") spread = tf.div(spread, tf.exp(gap(m, tf.maximum(tf.sum(real), 1), clusters)));
    return tf.mul(tf.add(balance, tf.mul(spread, mu)), E);
  });
}

/** Mean probability of the strongest run of E / C sorted experts above that of the second. */
function gap(m: Tensor, tokens: Tensor, clusters: number): Tensor {
  const size = m.shape[0]! / clusters;
  const sorted = tf.div(tf.topk(m, m.shape[0]!, true).values, tokens);
  const mean = (run: number) => tf.mean(tf.slice(sorted, [run * size], [size]));
  return clusters > 1 ? tf.sub(mean(0), mean(1)) : tf.scalar(0);
}
