import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../../errors.js";

/** For each slot, the rows of x that it computes, and their places in the flattened choice. */
export type SlotTokens = { rows: Int32Array; pairs: Int32Array }[];

/**
 * Sorts the tokens by the slot that they go to. Reads the routing, which on the back ends that do so lies in host
 * memory.
 */
export function tokensBySlot(choice: Tensor, slots: number): SlotTokens {
  const K = choice.shape[1]!;
  const flat = choice.dataSync();
  const counts = new Int32Array(slots);
  for (const slot of flat) {
    if (slot >= slots || slot < -1)
      throw new MoeError("expert-slot",
        `experts: a token chose slot ${slot} of ${slots}; accepted is 0 to ${slots - 1}, or -1 for none. `
          + "Check how router outputs are mapped to slots.");
    if (slot >= 0) counts[slot]++;
  }
  const tokens = Array.from(counts, (count) => ({ rows: new Int32Array(count), pairs: new Int32Array(count) }));
  const filled = new Int32Array(slots);
  flat.forEach((slot, pair) => {
    if (slot < 0) return;
    const place = filled[slot]++;
    tokens[slot].pairs[place] = pair;
    tokens[slot].rows[place] = Math.floor(pair / K);
  });
  return tokens;
}
