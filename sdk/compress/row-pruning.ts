import type { StepSeen, TrainingPruning } from "../train/training-pruning.js";
import { RowPruner, type RowPrunerOptions } from "./row-pruner.js";

/**
 * Drops rows of the sparse remainders of a factored model while it is trained: the second stage of MC-SMoE
 * (arXiv:2310.01334, section 3.3), for `train({ pruning })`. The model goes in with whole remainders.
 *
 * @example await train(trainable, { steps: 2000, …, pruning: new RowPruning({ steps: 2000, keep: 0.1, start: 80,
 *   settle: 320 }) })
 */
export class RowPruning implements TrainingPruning {
  readonly countsChoices = false;
  private readonly pruner: RowPruner;

  constructor(options: RowPrunerOptions) {
    this.pruner = new RowPruner(options);
  }

  reads(name: string): boolean {
    return /\.bank\.\d+\.(up|gate|down)\.s$/.test(name);
  }

  /** the schedule counts from 0 */
  async after(step: number, { variables }: StepSeen): Promise<void> {
    await this.pruner.step(step - 1, variables);
  }

  state(): Promise<Record<string, Float32Array>> {
    return this.pruner.state();
  }

  restore(state: Record<string, Float32Array>): void {
    this.pruner.restore(state);
  }

  dispose(): void {
    this.pruner.dispose();
  }
}
