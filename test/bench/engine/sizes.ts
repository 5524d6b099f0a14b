/** The two models of the training benchmark; the same numbers stand in train_step.py. */
export const sizes = {
  narrow: { V: 64, D: 128, L: 4, H: 4, T: 64, B: 16, E: 8, F: 256, K: 2 },
  wide: { V: 64, D: 512, L: 4, H: 8, T: 256, B: 16, E: 16, F: 1024, K: 2 },
} as const;

/** Floating point operations of a step's matrix products, forwards and backwards (attention's scores not counted). */
export function stepFlops({ V, D, L, T, B, E, F, K }: (typeof sizes)["narrow" | "wide"]): number {
  const perToken = 2 * (L * (4 * D * D + D * E + K * 2 * D * F) + D * V);
  return 3 * B * T * perToken;
}
