import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { LayerId } from "../model/spec.js";

/** What a training step gave a pruner to judge by. */
export interface StepSeen {
  /** the variables that it reads, after the step, and the gradient of the loss that the step was taken with */
  variables: Record<string, { weight: Variable; gradient: Tensor }>;
  /** [E] how often each router output of a layer was chosen in the step's batch; empty unless `countsChoices` */
  counts: Record<LayerId, number[]>;
}

/** Takes weights or experts away while a model is trained, by what the training itself shows. */
export interface TrainingPruning {
  /** whether it judges by this variable's gradient */
  reads(name: string): boolean;
  /** whether it judges by how often experts are chosen */
  readonly countsChoices: boolean;
  /** called after optimiser step t, from 1 */
  after(step: number, seen: StepSeen): Promise<void>;
  /** what a run needs to go on from here as if it had not been interrupted: numbers by name */
  state(): Promise<Record<string, Float32Array>>;
  restore(state: Record<string, Float32Array>): void;
}
