import type { Scalar, Tensor, Variable } from "@tensorflow/tfjs-core";
import { flattenBatch, type TrainingBatch } from "../model/batch.js";
import { type LayerId, layerId, type ModelSpec } from "../model/spec.js";
import { Trainable } from "../model/trainable.js";
import type { WeightSource } from "../model/weight-source.js";
import { crossEntropy, tf } from "../tensor/index.js";
import { sequences } from "./expert-gradients.js";
import { Sums } from "./observers/sums.js";

/** How the task loss hangs on what a feed-forward block gives. */
export interface OutputGradient {
  tokens: number;
  /** [D] mean over tokens of the squared gradient of the summed cross-entropy with respect to the block's output */
  squared: number[];
}

/**
 * Gradients of the task loss with respect to the outputs of feed-forward blocks, with or without experts: the diagonal
 * Fisher information that AdapMoE (arXiv:2408.10284) weighs a skipped expert by. Sequence by sequence, so that batches
 * change nothing; padding has no part. Holds the whole model and the activations of one sequence on the device.
 *
 * @param onSequence after each sequence; may throw to stop
 * @returns by layer
 * @throws MoeError `labels-missing`
 */
export async function outputGradients(
  { spec, weights }: { spec: ModelSpec; weights: WeightSource },
  batches: readonly TrainingBatch[],
  onSequence: () => void = () => undefined,
): Promise<Record<LayerId, OutputGradient>> {
  const sums = new Sums();
  const model = await Trainable.from(spec, weights);
  try {
    for (const batch of batches.flatMap(sequences)) {
      await addSequence(model, spec, batch, sums);
      onSequence();
    }
  } finally {
    model.dispose();
  }
  return sums.map((sum) => ({ tokens: sum("tokens")[0],
    squared: Array.from(sum("squared"), (total) => total / sum("tokens")[0]) })
  );
}

async function addSequence(model: Trainable, spec: ModelSpec, batch: TrainingBatch, sums: Sums): Promise<void> {
  const sides = flattenBatch(batch, spec);
  const labels = tf.tensor1d(Int32Array.from(batch.labels.flat()), "int32");
  const probes = new Map<LayerId, Variable>();
  for (const stack of ["encoder", "decoder"] as const) {
    for (const [index, { ffn }] of (spec[stack]?.layers ?? []).entries()) {
      const zeros = tf.zeros([sides[stack]!.B * sides[stack]!.T, spec.width]);
      if (ffn) probes.set(layerId(stack, index), tf.variable(zeros));
      zeros.dispose();
    }
  }
  try {
    const of = [...probes];
    const squared = tf.tidy(() => {
      const loss = () =>
        tf.sum(
          crossEntropy(model.logits(sides, undefined, { probe: (id, made) => tf.add(made, probes.get(id)!) }), labels),
        );
      const { grads } = tf.variableGrads(loss as () => Scalar, of.map(([, probe]) => probe));
      return of.map(([, probe]) => tf.sum(tf.square(grads[probe.name] as Tensor), 0));
    });
    for (const [index, [layer]] of of.entries()) {
      sums.add(layer, "squared", await squared[index].data());
      const { real, B, T } = layer.startsWith("encoder.") ? sides.encoder! : sides.decoder;
      sums.add(layer, "tokens", [real ? real.reduce((sum, one) => sum + one, 0) : B * T]);
    }
    tf.dispose(squared);
  } finally {
    labels.dispose();
    for (const probe of probes.values()) probe.dispose();
  }
}
