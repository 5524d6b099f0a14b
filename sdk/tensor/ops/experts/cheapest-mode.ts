import * as tf from "@tensorflow/tfjs-core";
import type { ExpertBank, ExpertsMode } from "../expert-bank.js";
import type { SlotTokens } from "./tokens-by-slot.js";

/** What matrix products and operations cost, by back end: estimates for two cores, good to a factor of two. */
const COSTS: Record<string, { gflops: number; operationUs: number }> = {
  cpu: { gflops: 0.5, operationUs: 5 },
  wasm: { gflops: 15, operationUs: 20 },
  tensorflow: { gflops: 150, operationUs: 20 },
};

/** operations beside the products: of a used slot in the loop, and of the padded form as a whole */
const OPERATIONS_PER_SLOT = 10;
const OPERATIONS_PADDED = 12;

/**
 * The mode with the smallest estimate of time = rows x cost of a row + operations x cost of an operation.
 * Rows that go through an expert: all tokens through all slots (masked), the longest queue for all slots (padded),
 * or the chosen pairs alone (loop).
 *
 * @param N tokens
 */
export function cheapestMode(N: number, tokens: SlotTokens, { up, gate }: ExpertBank): ExpertsMode {
  const { gflops, operationUs } = COSTS[tf.getBackend()] ?? COSTS.tensorflow;
  const [S, F, D] = up.shape as [number, number, number];
  const rowUs = (2 * (gate ? 3 : 2) * F * D) / gflops / 1e3;
  const queues = tokens.map(({ rows }) => rows.length);
  const estimates: Record<ExpertsMode, number> = {
    masked: N * S * rowUs,
    padded: S * Math.max(...queues) * rowUs + OPERATIONS_PADDED * operationUs,
    loop: queues.reduce((a, b) => a + b, 0) * rowUs
      + queues.filter((length) => length > 0).length * OPERATIONS_PER_SLOT * operationUs,
  };
  return (Object.keys(estimates) as ExpertsMode[]).reduce((
    best,
    mode,
  ) => (estimates[mode] < estimates[best] ? mode : best));
}
