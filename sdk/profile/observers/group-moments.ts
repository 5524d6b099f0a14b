import { tf } from "../../tensor/index.js";
import type { MoeEvent } from "../observer.js";
import { pearson } from "./pearson.js";
import type { Sums } from "./sums.js";

/**
 * Adds one event to the moments that the correlations of all hidden neurons of a group are made of: the post-activation
 * vectors of every member on the same tokens, side by side.
 *
 * @param rows of the event; a row that is named twice counts twice
 */
export async function addGroupMoments(
  sums: Sums,
  { layer, spec, input, expert, load }: MoeEvent,
  group: number,
  members: readonly number[],
  rows: number[],
): Promise<void> {
  const total = members.reduce((sum, e) => sum + spec.slots[spec.expertOf[e]].width, 0);
  sums.of(layer, `tokens ${group}`, 1)[0] += rows.length;
  sums.of(layer, `sum ${group}`, total);
  sums.of(layer, `products ${group}`, total * total);
  if (rows.length === 0) return;
  await load?.(members.map((e) => spec.expertOf[e]));
  const [sum, products] = tf.tidy(() => {
    const x = tf.gather(input, tf.tensor1d(rows, "int32"));
    const hidden = tf.concat(members.map((e) => expert(spec.expertOf[e]).hidden(x)), 1);
    return [tf.sum(hidden, 0), tf.matMul(hidden, hidden, true, false)];
  });
  sums.add(layer, `sum ${group}`, await sum.data());
  sums.add(layer, `products ${group}`, await products.data());
  tf.dispose([sum, products]);
}

/** The correlations of a group's neurons, n x n, member after member. */
export function groupCorrelation(
  sum: (name: string) => Float64Array,
  group: number,
): { n: number; values: Float32Array } {
  return { n: sum(`sum ${group}`).length,
    values: pearson(sum(`products ${group}`), sum(`sum ${group}`), sum(`tokens ${group}`)[0]) };
}
