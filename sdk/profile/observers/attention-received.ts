import type { MergeableObserver, SiteEvent, TensorMap } from "../observer.js";

/**
 * How much attention each token gets: sums over the queries of its sequence, means over heads, [tokens] of the real
 * tokens in the order of the data. What ODP of arXiv:2410.06270 protects tokens by. Of causal and two-sided softmax
 * attention; other blocks have no such thing. Stands beside the profile by layer; `result` has the number of tokens.
 */
export function attentionReceivedObserver(): MergeableObserver<{ tokens: number }> {
  const received = new Map<string, number[]>();
  const tensors = (): TensorMap =>
    new Map(
      [...received].map(([layer, values]) => [layer, { shape: [values.length], values: Float32Array.from(values) }]),
    );
  return {
    name: "attentionReceived",
    of: "blocks",
    at: ["attention"],
    async see(event: Extract<SiteEvent, { site: "attention" }>) {
      const all = received.get(event.layer) ?? [];
      for (const value of await event.received.data()) all.push(value);
      received.set(event.layer, all);
    },
    result: () => Object.fromEntries([...received].map(([layer, values]) => [layer, { tokens: values.length }])),
    tensors,
    merge(other) {
      for (const [layer, { values }] of other.tensors!())
        received.set(layer, [...(received.get(layer) ?? []), ...values]);
    },
  };
}
