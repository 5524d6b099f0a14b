import type { ExpectedTensor } from "../../sdk/model/expected-tensor.js";
import type { WeightSource } from "../../sdk/model/weight-source.js";

/** Mean and standard deviation of the weights of each kind, a name without its numbers; four digits, and how many. */
export async function spread(
  tensors: readonly ExpectedTensor[],
  weights: WeightSource,
): Promise<Record<string, [mean: number, deviation: number, count: number]>> {
  const kinds: Record<string, number[]> = {};
  for (const { name } of tensors) {
    const sums = kinds[name.replace(/\.\d+(?=\.|$)/g, "")] ??= [0, 0, 0];
    for (const value of await weights.values(name)) {
      sums[0] += value;
      sums[1] += value * value;
      sums[2] += 1;
    }
  }
  const rounded = (value: number) => Number(value.toPrecision(4));
  return Object.fromEntries(
    Object.entries(kinds).map(
      ([kind, [sum, squares, n]]) => [kind, [rounded(sum / n),
        rounded(Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2))), n]]
    ),
  );
}
