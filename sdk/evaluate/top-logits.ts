import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { divergence } from "./divergence.js";

/**
 * A teacher's logits at some positions: all of them, or the K largest of each with their ids, as arXiv:2410.14649 keeps
 * them for large vocabularies. Teacher and student are then both renormalised over these ids.
 */
export class TopLogits {
  private constructor(
    private readonly values: Float32Array,
    /** [n, K]; undefined: all of the vocabulary */
    private readonly ids: Int32Array | undefined,
    private readonly shape: [n: number, K: number],
  ) {}

  /** @param logits [n, V] */
  static async of(logits: Tensor, K: number): Promise<TopLogits> {
    const [n, V] = logits.shape as [number, number];
    const all = await logits.data() as Float32Array;
    if (K >= V) return new TopLogits(Float32Array.from(all), undefined, [n, V]);
    const values = new Float32Array(n * K), ids = new Int32Array(n * K);
    for (let row = 0; row < n; row++) {
      const own = all.subarray(row * V, (row + 1) * V);
      const least = Float32Array.from(own).sort()[V - K];
      // those above the K-th largest, then of equals the first
      let at = row * K;
      for (const above of [true, false]) {
        for (let id = 0; id < V && at < (row + 1) * K; id++) {
          if (above ? own[id] <= least : own[id] !== least) continue;
          ids[at] = id;
          values[at++] = own[id];
        }
      }
    }
    return new TopLogits(values, ids, [n, K]);
  }

  /** KL(teacher || student) of each position, in nats. @param student [n, V] */
  async kl(student: Tensor): Promise<Float32Array> {
    const [n, K] = this.shape;
    if (!this.ids) {
      const teacher = tf.tensor2d(this.values, this.shape);
      try {
        return (await divergence(teacher, student)).kl;
      } finally {
        teacher.dispose();
      }
    }
    const V = student.shape[1] as number;
    const all = await student.data();
    return Float32Array.from({ length: n }, (_, row) => {
      const p = this.values.subarray(row * K, (row + 1) * K);
      const q = Float64Array.from({ length: K }, (_, k) => all[row * V + this.ids![row * K + k]]);
      const [logP, logQ] = [logSum(p), logSum(q)];
      let sum = 0;
      for (let k = 0; k < K; k++) sum += Math.exp(p[k] - logP) * (p[k] - logP - (q[k] - logQ));
      return sum;
    });
  }
}

function logSum(values: Float32Array | Float64Array): number {
  let top = -Infinity, sum = 0;
  for (const value of values) top = Math.max(top, value);
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}
