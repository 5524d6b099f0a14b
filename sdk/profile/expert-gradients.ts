import type { Scalar, Tensor, Tensor2D, Variable } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { flattenBatch } from "../model/batch.js";
import type { TrainingBatch } from "../model/batch.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { layoutOf } from "../model/layer-weights.js";
import { MemorySource } from "../model/memory-source.js";
import { layerId, type ModelSpec } from "../model/spec.js";
import { Trainable } from "../model/trainable.js";
import type { WeightSource } from "../model/weight-source.js";
import { crossEntropy, tf } from "../tensor/index.js";

/**
 * What is added up over the data:
 * - `gradients`: the gradient of the mean cross-entropy over all asked tokens
 * - `fisher`: the mean over sequences of the squared gradient of the sequence's mean cross-entropy, the empirical
 *   Fisher
 *   information as arXiv:2310.01334 takes it for its table 8 (one sample a time)
 * - `fisher.classes`: the mean over sequences of the squared gradients of log p(c), each by p(c), the exact Fisher
 * information of a classifier (its code's form for SST-2 and MRPC). Classes are the tokens that the labels of the data
 *   begin with, and p is a softmax over these alone at the first asked place
 */
export type GradientKind = "gradients" | "fisher" | "fisher.classes";

/** A variable, and the weights that are in it: those of a bank of experts stacked. */
interface Chosen {
  variable: Variable;
  names: string[];
  stacked: boolean;
}

/** Weights that belong to experts. */
export const isExpert = (name: string): boolean => name.includes(".experts.");

/** classes that `fisher.classes` goes through, a backward pass each, for every sequence */
const MOST_CLASSES = 64;

/**
 * Adds up gradients of the task loss with respect to every expert weight, or to others, in double precision. How
 * sequences are cut into batches changes nothing beyond rounding, padding has no part, and sums of two shards of the
 * data can be merged.
 * Holds the whole model on the device and eight bytes for each of these weights.
 *
 * @example
 * const fisher = await ExpertGradients.of("fisher", model);
 * await fisher.see({ ids, labels });
 * const weights = fisher.result();  // F_i, named as the model's own tensors
 */
export class ExpertGradients {
  private readonly sums = new Map<string, Float64Array>();
  private count = 0;

  private constructor(
    readonly kind: GradientKind,
    private readonly model: Trainable,
    private readonly chosen: Chosen[],
    private readonly classes: number[],
    private readonly of: (name: string) => boolean,
  ) {}

  /**
   * @param classes token ids, for `fisher.classes`; `classesOf` finds those of a data set
   * @param of the weights that they are of; default those of experts. Of a bank of experts all or none are held
   */
  static async of(
    kind: GradientKind,
    { spec, weights }: { spec: ModelSpec; weights: WeightSource },
    classes: number[] = [],
    of = isExpert,
  ): Promise<ExpertGradients> {
    const model = await Trainable.from(spec, weights);
    const layout = new Map(
      (["encoder", "decoder"] as const).flatMap((stack) =>
        (spec[stack]?.layers ?? []).flatMap((layer, index) => {
          const path = layerId(stack, index);
          return layoutOf(layer, spec.width).map(
            ({ key, from, stacked }): [string, Omit<Chosen, "variable">] => [`${path}.${key}`, {
              names: from.map((name) => `${path}.${name}`),
              stacked,
            }]
          );
        })
      ),
    );
    const chosen = model.variables().map(({ name, variable }) => ({ variable,
      ...(layout.get(name) ?? { names: [name], stacked: false }) })
    );
    return new ExpertGradients(kind, model, chosen.filter(({ names }) => names.some(of)), classes, of);
  }

  /**
   * Bytes that the gradients of a model need: all weights on the device, and of each chosen weight the gradient and its
   * sum.
   */
  static sizeBytes(spec: ModelSpec, of = isExpert): number {
    return expectedTensors(spec).reduce(
      (sum, { name, shape }) =>
        sum + (4 + (of(name) ? 12 : 0)) * shape.reduce((product, length) => product * length, 1),
      0,
    );
  }

  /** @throws MoeError `labels-missing` */
  async see(batch: TrainingBatch): Promise<void> {
    mustHave(batch.labels);
    if (this.kind === "gradients") return this.add(batch);
    for (const sequence of sequences(batch))
      await (this.kind === "fisher" ? this.add(sequence) : this.addClasses(sequence));
  }

  merge(other: ExpertGradients): void {
    this.count += other.count;
    for (const [name, values] of other.sums) {
      const sum = this.sums.get(name);
      if (sum) values.forEach((value, i) => (sum[i] += value));
      else this.sums.set(name, values.slice());
    }
  }

  /** Float32 under the names and shapes of the model's own tensors. */
  result(): MemorySource {
    const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
    for (const { variable, names, stacked } of this.chosen) {
      const shape = stacked ? variable.shape.slice(1) : variable.shape;
      const size = shape.reduce((product, n) => product * n, 1);
      names.filter(this.of).forEach((name) =>
        tensors.set(name, { shape, values: Float32Array.from(this.sums.get(name) ?? new Float64Array(size), (value) =>
          value / Math.max(1, this.count)) })
      );
    }
    return new MemorySource(tensors);
  }

  dispose(): void {
    this.model.dispose();
  }

  private async add(batch: TrainingBatch): Promise<void> {
    const labels = Int32Array.from(batch.labels.flat());
    const asked = labels.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0);
    if (asked === 0) return;
    const squared = this.kind === "fisher";
    await this.addGradients(() => {
      const rows = crossEntropy(this.model.logits(flattenBatch(batch, this.model.spec)), tf.tensor1d(labels, "int32"));
      return squared ? tf.div(tf.sum(rows), asked) : tf.sum(rows);
    }, (gradient) => (squared ? tf.square(gradient) : gradient));
    this.count += squared ? 1 : asked;
  }

  private async addClasses(batch: TrainingBatch): Promise<void> {
    const place = batch.labels[0].findIndex((label) => label >= 0);
    if (place < 0) return;
    for (let index = 0; index < this.classes.length; index++) {
      await this.addGradients(() => {
        const logits = this.model.logits(flattenBatch(batch, this.model.spec));
        const ofClasses = tf.gather(tf.slice(logits, [place, 0], [1, -1]), tf.tensor1d(this.classes, "int32"),
          1) as Tensor2D;
        return tf.sum(crossEntropy(ofClasses, tf.tensor1d([index], "int32")));
      }, (gradient, loss) => tf.mul(tf.exp(tf.neg(loss)), tf.square(gradient)));
    }
    this.count += 1;
  }

  /** Adds what `of` makes of each weight's gradient of a loss. */
  private async addGradients(loss: () => Tensor, of: (gradient: Tensor, loss: Tensor) => Tensor): Promise<void> {
    const params = this.chosen.map(({ variable }) => variable);
    const terms: (Tensor | undefined)[] = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss as () => Scalar, params);
      return params.map((param) => grads[param.name] && of(grads[param.name], value));
    });
    for (const [index, { names }] of this.chosen.entries()) {
      const values = await terms[index]?.data();
      terms[index]?.dispose();
      if (!values) continue;
      const size = values.length / names.length;
      names.forEach((name, slot) => {
        if (!this.of(name)) return;
        if (!this.sums.has(name)) this.sums.set(name, new Float64Array(size));
        const sum = this.sums.get(name)!;
        for (let i = 0; i < size; i++) sum[i] += values[slot * size + i];
      });
    }
  }
}

/**
 * The tokens that the labels of a data set begin with, in rising order.
 *
 * @throws MoeError `too-many-classes` above 64, `labels-missing`
 * @example classesOf([{ ids, labels: [[-1, 7, 1], [-1, 9, 1]] }])  // [7, 9]
 */
export function classesOf(batches: readonly TrainingBatch[]): number[] {
  const classes = new Set(
    batches.flatMap(({ labels }) => mustHave(labels).flatMap((row) => row.find((label) => label >= 0) ?? [])),
  );
  if (classes.size > MOST_CLASSES) {
    throw new MoeError("too-many-classes",
      `profile: the labels begin with ${classes.size} different tokens, and "fisher.classes" goes through `
        + `each of them for every sequence; accepted are up to ${MOST_CLASSES}, as in a task of `
        + `classification. Choose "fisher", which takes the labels as they are.`);
  }
  return [...classes].sort((a, b) => a - b);
}

function mustHave(labels: number[][] | undefined): number[][] {
  if (!labels)
    throw new MoeError("labels-missing",
      "profile: gradients need labels, and a batch has none; accepted are batches { ids, labels } with -1 "
        + "where nothing is asked. Give labelled data, or a task.");
  return labels;
}

/** The rows of a batch, each as a batch of its own. */
export function sequences(batch: TrainingBatch): TrainingBatch[] {
  const { ids, mask, tokenTypes, decoderIds, decoderMask, labels } = batch;
  return ids.map((_, row) => {
    const one = (rows?: number[][]) => (rows ? [rows[row]] : undefined);
    return { ids: [ids[row]], mask: one(mask), tokenTypes: one(tokenTypes), decoderIds: one(decoderIds),
      decoderMask: one(decoderMask), labels: [labels[row]] };
  });
}
