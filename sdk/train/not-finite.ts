import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { flattenBatch, type TrainingBatch } from "../model/batch.js";
import type { LayerId, ModelSpec } from "../model/spec.js";
import type { Trainable } from "../model/trainable.js";
import { tf } from "../tensor/index.js";

/**
 * The error of a step whose loss or gradients are no numbers: the first layer whose output is none, and the largest
 * gradient that is one. The step was not taken.
 */
export async function notFinite(
  model: Trainable,
  at: { step: number; loss: number; lr: number; batch: TrainingBatch; spec: ModelSpec; seed: string; saved?: string },
  gradients: readonly { name: string; variable: Variable; gradient?: Tensor }[],
): Promise<MoeError> {
  const outputs: { id: LayerId; peak: Tensor }[] = [];
  tf.tidy(() => {
    model.logits(flattenBatch(at.batch, at.spec), undefined, { spec: at.spec, seed: at.seed, probe: (id, made) => {
      outputs.push({ id, peak: tf.keep(tf.max(tf.abs(made))) });
      return made;
    } });
  });
  const layer = await firstOf(outputs);
  const peaks: { name: string; peak: number }[] = [];
  for (const { name, gradient } of gradients) {
    if (!gradient) continue;
    const peak = tf.tidy(() => tf.max(tf.abs(gradient)));
    peaks.push({ name, peak: (await peak.data())[0] });
    peak.dispose();
  }
  const finite = peaks.filter(({ peak }) => Number.isFinite(peak)).sort((a, b) => b.peak - a.peak);
  return new MoeError("diverged",
    `train: the ${Number.isFinite(at.loss) ? "gradient is not a number" : `loss is ${at.loss}`} at step ${at.step}; `
      + `${layer ? `${layer} is the first layer that gives no number` : "all layers give numbers"}; `
      + `${peaks.length - finite.length} of ${peaks.length} gradients are none`
      + `${finite.length ? `, the largest other is ${finite[0].peak.toPrecision(3)} of ${finite[0].name}` : ""}. `
      + `The weights are those of step ${at.step - 1}${
        at.saved ? `, kept in ${at.saved}` : ""
      }. Lower the learning rate `
      + `(${at.lr}) or clip the gradients.`);
}

async function firstOf(outputs: readonly { id: LayerId; peak: Tensor }[]): Promise<LayerId | undefined> {
  let found: LayerId | undefined;
  for (const { id, peak } of outputs) {
    const [value] = await peak.data();
    peak.dispose();
    if (!Number.isFinite(value)) found ??= id;
  }
  return found;
}
