import type { Tensor } from "@tensorflow/tfjs-core";
import { takeRows, tf } from "../../tensor/index.js";

/**
 * T5's relative position bias: one learned number per bucket of distance and head. Half of the buckets are exact
 * distances, the rest grow logarithmically up to `maxDistance`. Section 2.1 of arXiv:1910.10683.
 *
 * @param table [buckets, H]
 * @param queries positions offset … offset + queries - 1 look at positions 0 … keys - 1
 * @returns [1, H, queries, keys], to be added to the scores
 */
export function relativeBias(
  table: Tensor,
  queries: number,
  keys: number,
  offset: number,
  spec: { buckets: number; maxDistance: number; bidirectional: boolean },
): Tensor {
  const buckets = new Int32Array(queries * keys);
  for (let q = 0; q < queries; q++)
    for (let k = 0; k < keys; k++) buckets[q * keys + k] = bucketOf(k - (q + offset), spec);
  const rows = takeRows(table, tf.tensor1d(buckets, "int32"));
  return tf.expandDims(tf.transpose(tf.reshape(rows, [queries, keys, table.shape[1] as number]), [2, 0, 1]), 0);
}

/** @param distance key position minus query position */
export function bucketOf(
  distance: number,
  { buckets, maxDistance, bidirectional }: { buckets: number; maxDistance: number; bidirectional: boolean },
): number {
  let first = 0;
  let count = buckets;
  let d: number;
  if (bidirectional) {
    count = Math.floor(buckets / 2);
    if (distance > 0) first = count;
    d = Math.abs(distance);
  } else {
    d = Math.max(-distance, 0);
  }
  const exact = Math.floor(count / 2);
  if (d < exact) return first + d;
  // float32 as in the reference: a distance on a bucket's edge must not slip to its neighbour
  const ratio = Math.fround(Math.fround(Math.log(Math.fround(d / exact))) / Math.fround(Math.log(maxDistance / exact)));
  const far = exact + Math.trunc(Math.fround(ratio * (count - exact)));
  return first + Math.min(far, count - 1);
}
