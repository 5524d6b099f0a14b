import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { Bank } from "../layer-weights.js";
import type { MoeFfnSpec } from "../spec.js";

/** Router outputs [N, K] -> places in the bank's stack, -1 where the choice lives in another bank or nowhere. */
export function placeIn(bank: Pick<Bank, "slots">, choice: Tensor2D, spec: MoeFfnSpec): Tensor2D {
  const untouched = bank.slots.length === spec.experts && spec.expertOf.every((slot, expert) => slot === expert);
  if (untouched) return choice;
  const place = new Map(bank.slots.map((slot, index) => [slot, index]));
  const table = Int32Array.from([-1, ...spec.expertOf.map((slot) => place.get(slot) ?? -1)]);
  const row = tf.cast(tf.add(choice, tf.scalar(1, "int32")), "int32");
  return tf.gather(tf.tensor1d(table, "int32") as Tensor, row) as Tensor2D;
}
