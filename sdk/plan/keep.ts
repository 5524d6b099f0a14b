import { MoeError } from "../errors.js";

/**
 * Reads a method's `keep` option: how many experts of a layer stay, on average over the layers.
 * A number up to and including 1 is a share of the layer's experts, a larger one is a count;
 * `keep: 1` therefore keeps everything, and one expert of 16 is `keep: 1 / 16`.
 *
 * @param keep a share in (0, 1] or a count in (1, E]
 * @param experts E
 * @param verb who asks, for the error: "merge", "prune"
 * @returns a count in [1, E], perhaps fractional: layers may then differ by one
 * @throws MoeError `keep-out-of-range`
 * @example keepPerLayer(0.25, 16, "merge")  // 4
 */
export function keepPerLayer(keep: number, experts: number, verb: string): number {
  if (typeof keep !== "number" || !(keep > 0 && keep <= Math.max(1, experts))) {
    const advice = keep > experts ? "Lower keep." : "Raise keep.";
    throw new MoeError("keep-out-of-range",
      `${verb}: keep is ${keep} of ${experts} experts; accepted is a count from 1 to ${experts}, or a `
        + `share above 0 and up to 1. ${advice}`);
  }
  return keep <= 1 ? Math.max(1, keep * experts) : keep;
}
