import { engineInfo, ready, Rng, tf } from "../tensor/index.js";
import { assign } from "../tensor/linalg/assign.js";
import { matrix } from "../tensor/linalg/matrix.js";
import { svd } from "../tensor/linalg/svd.js";
import type { Work } from "./make/maker.js";

/** Seconds of each kind of work that apply does. */
export interface ApplySpeeds {
  /** for a number that is read, moved or added */
  perNumber: number;
  /** for a multiply-add of a matrix product */
  perMultiply: number;
  /** for an assignment of F neurons: `assign` times F^2.5 */
  assign: number;
  /** for decomposing m x n: `decompose` times m n min(m, n) */
  decompose: number;
}

/** Of one core without a native engine; `applySpeeds` measures this machine's. */
export const usualSpeeds: ApplySpeeds = { perNumber: 2e-9, perMultiply: 2e-10, assign: 4e-9, decompose: 4e-9 };

let measured: { backend: string; speeds: Promise<ApplySpeeds> } | undefined;

/** Measures this machine with the engine that is in use, once; about a second. */
export async function applySpeeds(): Promise<ApplySpeeds> {
  await ready();
  const backend = engineInfo().backend;
  if (measured?.backend !== backend) measured = { backend, speeds: measure() };
  return measured.speeds;
}

/** Milliseconds that the work takes at these speeds. */
export function timeOf(
  { numbers, multiplies, assignments, decompositions, pairings }: Work,
  speeds: ApplySpeeds,
): number {
  const seconds = numbers * speeds.perNumber + multiplies * speeds.perMultiply + pairings * speeds.perNumber
    + assignments.reduce((sum, F) => sum + speeds.assign * F ** 2.5, 0)
    + decompositions.reduce((sum, [m, n]) => sum + speeds.decompose * m * n * Math.min(m, n), 0);
  return 1000 * seconds;
}

async function measure(): Promise<ApplySpeeds> {
  const rng = new Rng("apply speeds");
  const normal = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
  const side = 384;
  const values = normal(side * side);
  const moved = Int32Array.from({ length: side }, (_, row) => side - 1 - row);
  const perNumber = (await best(async () => {
    // a source is made, its rows are moved, weighed and added, and the sum is read back: four passes
    const sum = tf.tidy(() => {
      const source = tf.tensor2d(values, [side, side]);
      return tf.add(source, tf.mul(tf.gather(source, tf.tensor1d(moved, "int32")), 0.5));
    });
    await sum.data();
    sum.dispose();
  })) / (4 * side * side);
  const perMultiply = (await best(async () => {
    const product = tf.tidy(() => {
      const a = tf.tensor2d(values, [side, side]);
      return tf.matMul(a, a, false, true);
    });
    await product.data();
    product.dispose();
  })) / side ** 3;
  const neurons = 256;
  const scores = normal(neurons * neurons);
  const matched = await best(async () => void assign(Float32Array.from(scores), neurons, { maximize: true }));
  const decomposed = await best(async () => void svd(matrix(normal(128 * 96), 128, 96)));
  return { perNumber, perMultiply, assign: matched / neurons ** 2.5, decompose: decomposed / (128 * 96 * 96) };
}

/** seconds of the fastest of three */
async function best(run: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    await run();
    least = Math.min(least, (performance.now() - started) / 1000);
  }
  return least;
}
