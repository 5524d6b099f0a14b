import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import type { ExpertBank, ExpertsMode } from "./expert-bank.js";
import { cheapestMode } from "./experts/cheapest-mode.js";
import { loop } from "./experts/loop.js";
import { masked } from "./experts/masked.js";
import { padded } from "./experts/padded.js";
import { tokensBySlot } from "./experts/tokens-by-slot.js";

export interface ExpertsOptions {
  /**
   * - `auto` (default): the back end's own operation where it has one, otherwise the cheapest of the others
   * - `masked`: every expert computes every token in two products; gates of 0 remove what was not chosen
   * - `padded`: each expert's tokens are gathered into rows of one length; batched products over all experts
   * - `loop`: one expert at a time
   */
  mode?: "auto" | ExpertsMode;
}

/**
 * Sends each token through its chosen experts and adds up their outputs, weighted by the gates.
 * Gradients reach x, the gates and the bank; an expert without tokens has a gradient of zeros.
 * The three modes give the same result within rounding.
 *
 * @param x [N, D]
 * @param choice int32 [N, K], slot of the bank, or -1: no expert
 * @param gates [N, K]
 * @returns [N, D]
 * @throws MoeError `expert-slot` when a choice is not a slot
 */
export function experts(
  x: Tensor,
  choice: Tensor,
  gates: Tensor,
  bank: ExpertBank,
  { mode = "auto" }: ExpertsOptions = {},
): Tensor {
  return tf.tidy(() => {
    if (mode === "auto" && fused.experts && bank.clamp === undefined) return fused.experts(x, choice, gates, bank);
    // on a GPU the routing is not read back: it would wait for everything before it
    if (mode === "masked" || (mode === "auto" && tf.getBackend() === "webgpu")) return masked(x, choice, gates, bank);
    const tokens = tokensBySlot(choice, bank.up.shape[0]);
    const chosen = mode === "auto" ? cheapestMode(x.shape[0], tokens, bank) : mode;
    // without any token the masked form gives zeros, and zero gradients to everything
    if (chosen === "masked" || tokens.every(({ rows }) => rows.length === 0)) return masked(x, choice, gates, bank);
    return chosen === "padded" ? padded(x, tokens, gates, bank) : loop(x, tokens, gates, bank);
  });
}
