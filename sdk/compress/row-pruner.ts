import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { entryQuantile } from "./entry-quantile.js";
import { sparsityAt, type SparsityScheduleOptions } from "./sparsity-schedule.js";

export interface RowPrunerOptions extends SparsityScheduleOptions {
  /** how much of the running importance stays; default 0.85 */
  beta?: number;
}

/**
 * A remainder S [out, in], or several stacked [slots, out, in], in training and the gradient of the loss at the step
 * that was just taken.
 */
export interface SparsePart {
  weight: Variable;
  gradient: Tensor;
}

export interface PruneReport {
  /** q(t) */
  keep: number;
  /** rows with a score below it were set to zero; absent while nothing is pruned */
  threshold?: number;
  /** rows that are zero now, by part, counted through a stack; empty while nothing is pruned */
  zeroRows: Record<string, number[]>;
}

/**
 * Drops rows of the sparse remainders while training, least important first, all matrices of the network together
 * (section 3.3 of arXiv:2310.01334; LoSparse, arXiv:2306.11222). An entry's importance is `|s dL/ds|`; its running
 * mean lags one step behind. A row's score is the mean over its entries. Dropped rows are not frozen: the optimiser
 * may move them and they are judged again.
 *
 * @example
 * const pruner = new RowPruner({ steps: 10_000, keep: 0.1, start: 400, settle: 1600 });
 * // after each optimiser step
 * await pruner.step(t, { "layers.0.experts.0.up": { weight, gradient } });
 */
export class RowPruner {
  private readonly last = new Map<string, Tensor>();
  private readonly mean = new Map<string, Tensor>();

  constructor(private readonly options: RowPrunerOptions) {}

  /** Call after the optimiser's step t, from 0. Sets rows of the weights to zero where the schedule asks for it. */
  async step(step: number, parts: Record<string, SparsePart>): Promise<PruneReport> {
    for (const [name, part] of Object.entries(parts)) this.observe(name, part);
    const { keep, prune } = sparsityAt(step, this.options);
    if (!prune) return { keep, zeroRows: {} };

    const scored: { name: string; scores: Float32Array; width: number }[] = [];
    for (const [name, { weight }] of Object.entries(parts)) {
      const scores = tf.tidy(() => tf.mean(this.mean.get(name)!, -1));
      scored.push({ name, scores: (await scores.data()) as Float32Array, width: weight.shape.at(-1)! });
      scores.dispose();
    }
    const threshold = entryQuantile(scored, 1 - keep);
    const zeroRows: Record<string, number[]> = {};
    for (const { name, scores } of scored) {
      zeroRows[name] = Array.from(scores.keys()).filter((row) => scores[row] < threshold);
      const { weight } = parts[name];
      tf.tidy(() =>
        weight.assign(
          tf.mul(weight,
            tf.tensor(Array.from(scores, (score) => (score < threshold ? 0 : 1)), [...weight.shape.slice(0, -1), 1])),
        )
      );
    }
    return { keep, threshold: threshold === -Infinity ? undefined : threshold, zeroRows };
  }

  /** What a pruner needs to go on as if it had not been interrupted, by name. */
  async state(): Promise<Record<string, Float32Array>> {
    const state: Record<string, Float32Array> = {};
    for (const [kind, tensors] of [["last", this.last], ["mean", this.mean]] as const)
      for (const [name, tensor] of tensors) state[`${kind} ${name}`] = (await tensor.data()) as Float32Array;
    return state;
  }

  /** Takes over what `state` gave; shapes follow with the next step. */
  restore(state: Record<string, Float32Array>): void {
    this.dispose();
    for (const [key, values] of Object.entries(state))
      (key.startsWith("last ") ? this.last : this.mean).set(key.slice(5), tf.tensor1d(values));
  }

  /** The running importance of a part, [out, in]; a copy. */
  importance(name: string): Tensor {
    return tf.clone(this.mean.get(name)!);
  }

  dispose(): void {
    for (const tensor of [...this.last.values(), ...this.mean.values()]) tensor.dispose();
    this.last.clear();
    this.mean.clear();
  }

  private observe(name: string, { weight, gradient }: SparsePart): void {
    const beta = this.options.beta ?? 0.85;
    // restored ones are flat
    const [before, last] = [this.mean, this.last].map((kept) => {
      const tensor = kept.get(name);
      return tensor && tf.tidy(() => tf.reshape(tensor, weight.shape));
    });
    tf.dispose([this.mean.get(name), this.last.get(name)].filter((tensor) => tensor !== undefined));
    this.mean.set(name,
      tf.tidy(() => (before && last ? tf.add(tf.mul(before, beta), tf.mul(last, 1 - beta)) : tf.zerosLike(weight))));
    this.last.set(name, tf.tidy(() => tf.abs(tf.mul(weight, gradient))));
    tf.dispose([before, last].filter((tensor) => tensor !== undefined));
  }
}
