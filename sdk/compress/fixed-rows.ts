import type { Tensor } from "@tensorflow/tfjs-core";
import type { Trainable } from "../model/trainable.js";
import { tf } from "../tensor/index.js";
import type { StepSeen, TrainingPruning } from "../train/training-pruning.js";

/** Keeps rows of remainders at zero that are zero when training begins, for models whose rows were chosen before. */
export class FixedRows implements TrainingPruning {
  readonly countsChoices = false;
  private readonly masks = new Map<string, Tensor>();

  /** undefined for a model without remainders */
  static of(model: Trainable): FixedRows | undefined {
    const fixed = new FixedRows(model);
    return fixed.masks.size > 0 ? fixed : undefined;
  }

  private constructor(model: Trainable) {
    for (const { name, variable } of model.variables()) {
      if (/\.bank\.\d+\.(up|gate|down)\.s$/.test(name))
        this.masks.set(name, tf.tidy(() => tf.cast(tf.any(tf.notEqual(variable, 0), -1, true), "float32")));
    }
  }

  reads(name: string): boolean {
    return this.masks.has(name);
  }

  async after(_: number, { variables }: StepSeen): Promise<void> {
    for (const [name, { weight }] of Object.entries(variables))
      tf.tidy(() => weight.assign(tf.mul(weight, this.masks.get(name)!)));
  }

  async state(): Promise<Record<string, Float32Array>> {
    return {};
  }

  restore(): void {}

  dispose(): void {
    tf.dispose([...this.masks.values()]);
  }
}
