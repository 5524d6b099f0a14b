import { tf } from "../../tensor/index.js";
import type { MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/** added to the product of two standard deviations, as in the reference code */
const EPSILON = 1e-7;

/** F x F Pearson correlations, row by row; rows are neurons of the first expert of the pair */
export interface NeuronCorrelation {
  tokens: number;
  width: number;
  values: Float32Array;
}

/**
 * Adds one event to the moments that neuron correlations are made of: for every pair of experts (a, b), the
 * post-activation vectors of both on the tokens that were routed to either.
 *
 * @param pairs router outputs; a pair of which one has no stored expert is skipped
 */
export async function addNeuronMoments(
  sums: Sums,
  event: MoeEvent,
  pairs: readonly (readonly [number, number])[],
): Promise<void> {
  const { layer, spec, input, expert } = event;
  const rowsOf = new Map((await tokensByExpert(event)).map(({ expert, rows }) => [expert, rows]));
  for (const [a, b] of pairs) {
    if (spec.expertOf[a] < 0 || spec.expertOf[b] < 0) continue;
    const rows = [...new Set([...(rowsOf.get(a) ?? []), ...(rowsOf.get(b) ?? [])])].sort((x, y) => x - y);
    const key = `${a} ${b}`;
    sums.of(layer, `tokens ${key}`, 1)[0] += rows.length;
    if (rows.length === 0) continue;
    await event.load?.([spec.expertOf[a], spec.expertOf[b]]);
    const moments = tf.tidy(() => {
      const x = tf.gather(input, tf.tensor1d(rows, "int32"));
      const [ha, hb] = [expert(spec.expertOf[a]).hidden(x), expert(spec.expertOf[b]).hidden(x)];
      const [ma, mb] = [tf.mean(ha, 0), tf.mean(hb, 0)];
      const [ca, cb] = [tf.sub(ha, ma), tf.sub(hb, mb)];
      return [ma, mb, tf.sum(ca, 0), tf.sum(cb, 0), tf.sum(tf.square(ca), 0), tf.sum(tf.square(cb), 0),
        tf.matMul(ca, cb, true, false)];
    });
    const [ma, mb, restA, restB, caa, cbb, cab] = await Promise.all(moments.map((tensor) => tensor.data()));
    tf.dispose(moments);
    const N = rows.length;
    // moments about 0 in float64 from float32 moments about the chunk's mean: adding them up loses no digits
    const about0 = (m: number, rest: number, n: number, otherRest: number, centred: number) =>
      centred + m * (otherRest + N * n) + n * (rest + N * m) - N * m * n;
    const F = ma.length;
    const neurons = Array.from({ length: F }, (_, f) => f);
    sums.add(layer, `a ${key}`, neurons.map((f) => restA[f] + N * ma[f]));
    sums.add(layer, `b ${key}`, neurons.map((f) => restB[f] + N * mb[f]));
    sums.add(layer, `aa ${key}`, neurons.map((f) => about0(ma[f], restA[f], ma[f], restA[f], caa[f])));
    sums.add(layer, `bb ${key}`, neurons.map((f) => about0(mb[f], restB[f], mb[f], restB[f], cbb[f])));
    const ab = sums.of(layer, `ab ${key}`, F * F);
    for (let i = 0; i < F; i++)
      for (let j = 0; j < F; j++) ab[i * F + j] += about0(ma[i], restA[i], mb[j], restB[j], cab[i * F + j]);
  }
}

/** The correlation of one pair from its moments: covariance over n - 1, divided by both deviations. */
export function neuronCorrelation(
  sum: (name: string) => Float64Array | undefined,
  a: number,
  b: number,
): NeuronCorrelation {
  const key = `${a} ${b}`;
  const tokens = sum(`tokens ${key}`)?.[0] ?? 0;
  const width = sum(`a ${key}`)?.length ?? 0;
  const values = new Float32Array(width * width);
  if (tokens < 2) return { tokens, width, values };
  const deviation = (total: Float64Array, squares: Float64Array) =>
    total.map((value, f) => Math.sqrt(Math.max(0, squares[f] - (value * value) / tokens) / (tokens - 1)));
  const [sa, sb, ab] = [sum(`a ${key}`)!, sum(`b ${key}`)!, sum(`ab ${key}`)!];
  const [da, db] = [deviation(sa, sum(`aa ${key}`)!), deviation(sb, sum(`bb ${key}`)!)];
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++)
      values[i * width + j] = (ab[i * width + j] - (sa[i] * sb[j]) / tokens) / (tokens - 1) / (da[i] * db[j] + EPSILON);
  }
  return { tokens, width, values };
}
