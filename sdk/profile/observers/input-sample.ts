import type { MergeableObserver, SiteEvent } from "../observer.js";
import { isChosen, ofWeights, type WeightChoice } from "../weight-choice.js";

/** Rows of one matrix: every `stride`-th of those seen. */
interface Sample {
  width: number;
  seen: number;
  stride: number;
  rows: Float32Array[];
}

/**
 * Rows that a matrix multiplies, `rows` / 2 to `rows` of them at even distances over the data, all if there are fewer:
 * every 2^n-th, whatever the batches. Stands beside the profile as [rows, in]; `result` has how many there were.
 */
export function inputSampleObserver(rows: number, choice: WeightChoice = "all"): MergeableObserver<{ tokens: number }> {
  const samples = new Map<string, Sample>();
  const take = (sample: Sample, row: Float32Array) => {
    if (sample.seen++ % sample.stride !== 0) return;
    if (sample.rows.length === rows) {
      sample.rows = sample.rows.filter((_, i) => i % 2 === 0);
      sample.stride *= 2;
      if ((sample.seen - 1) % sample.stride !== 0) return;
    }
    sample.rows.push(row);
  };
  const observer: MergeableObserver<{ tokens: number }> & { samples: typeof samples } = {
    name: ofWeights(`inputs.${rows}`, choice),
    of: "weights",
    at: ["input"],
    samples,
    async see({ weight, x }: Extract<SiteEvent, { site: "input" }>) {
      if (!isChosen(choice, weight)) return;
      const [N, width] = x.shape;
      if (!samples.has(weight)) samples.set(weight, { width, seen: 0, stride: 1, rows: [] });
      const values = (await x.data()) as Float32Array;
      for (let i = 0; i < N; i++) take(samples.get(weight)!, values.slice(i * width, (i + 1) * width));
    },
    result: () => Object.fromEntries([...samples].map(([weight, { seen }]) => [weight, { tokens: seen }])),
    tensors: () =>
      new Map([...samples].map(([weight, { rows, width }]) => {
        const values = new Float32Array(rows.length * width);
        rows.forEach((row, i) => values.set(row, i * width));
        return [weight, { shape: [rows.length, width], values }];
      })),
    merge(other) {
      for (const [weight, { width, seen, stride, rows: more }] of (other as typeof observer).samples) {
        if (!samples.has(weight)) samples.set(weight, { width, seen: 0, stride: 1, rows: [] });
        const sample = samples.get(weight)!;
        const before = sample.seen;
        more.forEach((row, i) => {
          sample.seen = before + i * stride;
          take(sample, row);
        });
        sample.seen = before + seen;
      }
    },
  };
  return observer;
}
