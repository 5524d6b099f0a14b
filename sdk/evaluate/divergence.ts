import type { Tensor, Tensor1D } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { tf } from "../tensor/index.js";

/** How far a student's predictions are from a teacher's, position by position. */
export interface Divergence {
  /** KL(teacher || student) in nats */
  kl: Float32Array;
  /** 1 where both have the same most likely token (ties go to the lower id) */
  agree: Uint8Array;
}

/**
 * Compares two tensors of logits at the positions of the mask.
 * The temperature is 1; a token that the teacher gives probability 0 (logit -Infinity) adds nothing.
 *
 * @param teacher [..., V]
 * @param student of the same shape
 * @param mask 1 or 0 for each position, flattened; default all. Positions with 0 are not in the result
 * @example const { kl } = await divergence(full.logits, merged.logits, mask.flat());
 */
export async function divergence(teacher: Tensor, student: Tensor, mask?: ArrayLike<number>): Promise<Divergence> {
  const [kl, agree] = tf.tidy(() => {
    const p = tf.logSoftmax(positions(teacher, mask));
    const q = tf.logSoftmax(positions(student, mask));
    // 0 times -Infinity would be NaN
    const terms = tf.where(tf.greater(p, -Infinity), tf.mul(tf.exp(p), tf.sub(p, q)), tf.zerosLike(p));
    return [tf.sum(terms, -1) as Tensor, tf.cast(tf.equal(tf.argMax(p, -1), tf.argMax(q, -1)), "int32")];
  });
  const [nats, same] = await Promise.all([kl.data(), agree.data()]);
  tf.dispose([kl, agree]);
  return { kl: Float32Array.from(nats), agree: Uint8Array.from(same) };
}

/**
 * The logits of the positions whose mask is not 0, as [n, V]; the caller disposes the result.
 *
 * @throws MoeError `bad-mask` when the mask has another number of positions than the logits
 */
export function positions(logits: Tensor, mask?: ArrayLike<number>): Tensor {
  const vocab = logits.shape[logits.shape.length - 1];
  const rows = logits.size / vocab;
  if (!mask) return tf.reshape(logits, [rows, vocab]);
  if (mask.length !== rows)
    throw new MoeError("bad-mask",
      `divergence: the mask has ${mask.length} positions, the logits [${logits.shape}] have ${rows}; `
        + "accepted is the same number. Flatten the mask in the order of the logits.");
  const kept: number[] = [];
  for (let i = 0; i < rows; i++) if (mask[i]) kept.push(i);
  return tf.tidy(() => tf.gather(tf.reshape(logits, [rows, vocab]), tf.tensor1d(kept, "int32") as Tensor1D));
}
