/**
 * A number that changes while a model is trained: itself; from one to another evenly; or what it is from a share of the
 * steps on, `[[0, 0.02], [0.5, 0.0001]]`.
 */
export type OverSteps = number | { from: number; to: number } | readonly (readonly [share: number, value: number])[];

/** @example atStep([[0, 0.02], [0.5, 1e-4]], 6, 10)  // 0.0001 */
export function atStep(value: OverSteps, step: number, steps: number): number {
  if (typeof value === "number") return value;
  if ("from" in value) return value.from + ((value.to - value.from) * (step - 1)) / Math.max(1, steps - 1);
  const share = (step - 1) / steps;
  return (value.findLast(([from]) => from <= share) ?? value[0])[1];
}
