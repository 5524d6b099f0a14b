import type { Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, SiteEvent } from "../observer.js";
import { cosine } from "./stream-cosine.js";
import { Sums } from "./sums.js";

type StreamEvent = Extract<SiteEvent, { site: "stream" }>;

/**
 * How little several layers in a row turn the residual stream: of layer l the means over tokens of the cosine between
 * the stream before it and after layer l + w, for w = 0 to `widest` - 1, as far as the stack goes. Block drop in
 * arXiv:2406.02500 removes the window of the highest. Keeps the streams before the last `widest` layers: 4 `widest` N D
 * bytes, N tokens of all batches.
 */
export function streamWindowsObserver(widest: number): MergeableObserver<number[]> {
  const sums = new Sums();
  const before = new Map<string, { at: number; batch: number; x: Float32Array }[]>();
  return {
    name: `streamWindows.${widest}`,
    of: "blocks",
    at: ["stream"],
    spans: true,
    sums,
    async see({ layer, batch, at, x }: StreamEvent) {
      if (at === "mixed") return;
      const [, stack, number] = /^(.*layers\.)(\d+)$/.exec(layer)!;
      const index = Number(number);
      if (at === "in") {
        const kept = (before.get(stack) ?? []).filter((held) => held.at > index - widest);
        kept.push({ at: index, batch, x: (await x.data()).slice() as Float32Array });
        before.set(stack, kept);
        return;
      }
      for (const { at: first, x: values } of (before.get(stack) ?? []).filter((held) => held.batch === batch)) {
        const sum = tf.tidy(() => tf.sum(cosine(tf.tensor2d(values, x.shape), x as Tensor2D)));
        const [total] = await sum.data();
        sum.dispose();
        const of = `${stack}${first}`;
        sums.of(of, "cosines", widest)[index - first] += total;
        sums.of(of, "tokens", widest)[index - first] += x.shape[0];
      }
    },
    result: () =>
      sums.map((sum) => Array.from(sum("cosines"), (total, w) => total / sum("tokens")[w]).filter(Number.isFinite)),
    merge: (other) => sums.merge(other.sums!),
  };
}
