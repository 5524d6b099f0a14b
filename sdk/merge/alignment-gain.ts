import { disposeExperts, inOrder, readExpert } from "../match/aligned-experts.js";
import { type ExpertMatrices, weightMatching } from "../match/weight-matching.js";
import { type LayerId, type ModelSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { Rng, tf } from "../tensor/index.js";

/**
 * Share of the squared distance to the layer's first expert that reordering neurons takes away, a mean over experts.
 */
export interface AlignmentGain {
  trained: number;
  /**
   * the same for neurons of the same norms that point anywhere: what an assignment gains where there is nothing to find
   */
  random: number;
}

/**
 * Measures what weight matching (arXiv:2209.04836) finds: `1 - |W_1 - P W_e|^2 / |W_1 - W_e|^2` for each expert e,
 * beside the
 * control of random directions.
 *
 * @param experts of each layer that are compared with its first; default all
 */
export async function alignmentGain(
  spec: ModelSpec,
  weights: WeightSource,
  { experts = Infinity, seed = 0 } = {},
): Promise<Record<LayerId, AlignmentGain>> {
  const gains: Record<LayerId, AlignmentGain> = {};
  for (const { id, ffn } of moeLayers(spec)) {
    const rng = new Rng(`alignment gain ${seed} ${id}`);
    const sums = { trained: 0, random: 0 };
    const others = Math.min(experts, ffn.slots.length - 1);
    for (let slot = 1; slot <= others; slot++) {
      const pair = async () => [await readExpert(weights, id, 0), await readExpert(weights, id, slot)] as const;
      sums.trained += await gain(...(await pair()));
      const [first, other] = await pair();
      sums.random += await gain(await randomDirections(first, rng), await randomDirections(other, rng));
    }
    gains[id] = { trained: sums.trained / others, random: sums.random / others };
  }
  return gains;
}

/** Takes both experts. */
async function gain(first: ExpertMatrices, other: ExpertMatrices): Promise<number> {
  const order = await weightMatching(first, other);
  const before = await distance(first, other);
  const moved = inOrder(other, order);
  const after = await distance(first, moved);
  disposeExperts([first, moved]);
  return before > 0 ? 1 - after / before : 0;
}

async function distance(a: ExpertMatrices, b: ExpertMatrices): Promise<number> {
  const total = tf.tidy(() =>
    tf.addN([tf.sum(tf.squaredDifference(a.up, b.up)), tf.sum(tf.squaredDifference(a.down, b.down)),
      ...(a.gate && b.gate ? [tf.sum(tf.squaredDifference(a.gate, b.gate))] : [])])
  );
  const [value] = await total.data();
  total.dispose();
  return value;
}

/** An expert whose neurons have the same norms and random directions; takes the given one. */
async function randomDirections(expert: ExpertMatrices, rng: Rng): Promise<ExpertMatrices> {
  const redirected = tf.tidy(() => {
    const turn = (matrix: ExpertMatrices["up"], axis: 0 | 1) => {
      const noise = tf.tensor2d(Float32Array.from({ length: matrix.size }, () => rng.normal()), matrix.shape);
      return tf.mul(noise, tf.div(tf.norm(matrix, 2, axis, true), tf.norm(noise, 2, axis, true))) as typeof matrix;
    };
    return { up: turn(expert.up, 1), ...(expert.gate && { gate: turn(expert.gate, 1) }), down: turn(expert.down, 0) };
  });
  disposeExperts([expert]);
  return redirected;
}
