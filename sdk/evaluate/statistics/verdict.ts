/** What a study says about a printed claim. */
export type Verdict = "reproduced" | "not resolved" | "refuted";

/** Where the claim puts the difference. */
export type Side = "higher" | "lower";

/**
 * Judges a claim by the interval of the difference: on the claimed side of zero it is reproduced, on the other side
 * refuted, across zero not resolved.
 *
 * @example verdict({ low: 0.4, high: 2.1 }, "higher")  // "reproduced"
 */
export function verdict(interval: { low: number; high: number }, side: Side): Verdict {
  if (interval.low > 0) return side === "higher" ? "reproduced" : "refuted";
  if (interval.high < 0) return side === "lower" ? "reproduced" : "refuted";
  return "not resolved";
}
