import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, SiteEvent } from "../observer.js";
import { Sums } from "./sums.js";

/**
 * How little a layer and its blocks turn the residual stream: means over tokens of the cosine between the stream before
 * and after. 1 - `layer` is the block influence of ShortGPT (arXiv:2403.03853); `ffn` is the similarity of layer drop
 * in arXiv:2406.02500, equation 6.
 */
export interface StreamCosine {
  tokens: number;
  /** before the layer and after it */
  layer: number;
  /** before the layer and before its feed-forward block: attention, and cross-attention where there is one */
  attention: number;
  /** before the feed-forward block and after it */
  ffn: number;
  /** before the feed-forward block, and what the block adds: the criterion that arXiv:2406.02500 finds inadequate */
  ffnAlone: number;
}

type StreamEvent = Extract<SiteEvent, { site: "stream" }>;
const parts = ["layer", "attention", "ffn", "ffnAlone"] as const;

/** Measures `StreamCosine` of every layer, with or without experts. */
export function streamCosineObserver(): MergeableObserver<StreamCosine> {
  const sums = new Sums();
  const before = new Map<number, { in?: Tensor2D; mixed?: Tensor2D }>();
  return {
    name: "streamCosine",
    of: "blocks",
    at: ["stream"],
    sums,
    async see({ layer, batch, at, x }: StreamEvent) {
      if (at !== "out") {
        before.set(batch, { ...before.get(batch), [at]: tf.clone(x) });
        return;
      }
      const { in: first, mixed } = before.get(batch) as { in: Tensor2D; mixed: Tensor2D };
      before.delete(batch);
      const cosines = tf.tidy(() =>
        tf.stack(
          [cosine(first, x), cosine(first, mixed), cosine(mixed, x), cosine(mixed, tf.sub(x, mixed))].map((each) =>
            tf.sum(each)
          ),
        )
      );
      sums.add(layer, "cosines", await cosines.data());
      sums.add(layer, "tokens", [x.shape[0]]);
      tf.dispose([cosines, first, mixed]);
    },
    result: () =>
      sums.map((sum) => {
        const [tokens] = sum("tokens");
        return { tokens,
          ...Object.fromEntries(
            parts.map((part, i) => [part, sum("cosines")[i] / tokens]),
          ) } as unknown as StreamCosine;
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}

/** [N] cosine of the rows of two tensors [N, D]; 0 where a row is all zeros. */
export function cosine(a: Tensor, b: Tensor): Tensor {
  const length = (x: Tensor) => tf.maximum(tf.norm(x, "euclidean", 1), 1e-8);
  return tf.sum(tf.mul(tf.div(a, tf.expandDims(length(a), 1)), tf.div(b, tf.expandDims(length(b), 1))), 1);
}
