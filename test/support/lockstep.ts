import { tf } from "../../sdk/tensor/index.js";
import { repeatKernel, type Values, watchKernels } from "./repeat-kernel.js";

/** What two back ends made of one kind of operation, given the same inputs. */
export interface Comparison {
  kernel: string;
  /** calls compared, and those with equal bits */
  calls: number;
  equal: number;
  /**
   * largest difference in units of the last place: of the result, and of the sum of absolute terms where the operation
   * sums
   */
  worst: number;
  /** element, values and shapes of it */
  where: string;
}

/** Kernels whose result is a sum of terms: rounding is relative to the sum of the terms' absolute values. */
const SUMS = new Set(["AddN", "BatchMatMul", "Cumsum", "Einsum", "Mean", "ScatterNd", "SparseToDense", "Sum",
  "UnsortedSegmentSum", "_FusedMatMul"]);
const ULP = 2 ** -23;

/**
 * Runs `work` on the active back end and repeats every kernel it calls on `other`, with copies of the same inputs.
 * Of calls alike (kernel, shapes, attributes) the first `samples` are compared.
 */
export async function lockstep(other: string, work: () => Promise<unknown>, samples = 2): Promise<Comparison[]> {
  const active = tf.backend();
  const found = new Map<string, Comparison>();
  const seen = new Map<string, number>();

  await watchKernels(work, (name, inputs, attrs, outputs) => {
    const shapes = Object.values(inputs).flat().map((x) => x && `${x.dtype}[${x.shape}]`).join(" ");
    const call = `${name} ${shapes} ${JSON.stringify(attrs ?? {})}`;
    const count = seen.get(call) ?? 0;
    seen.set(call, count + 1);
    if (count >= samples || !tf.getKernel(name, other)) return;
    const expected = repeatKernel(other, name, inputs, attrs);
    const terms = SUMS.has(name) ? repeatKernel(other, name, inputs, attrs, Math.abs) : undefined;
    const comparison = found.get(name) ?? { kernel: name, calls: 0, equal: 0, worst: 0, where: "" };
    found.set(name, comparison);
    comparison.calls++;
    let worst = 0;
    outputs.forEach((output, which) => {
      const values = active.readSync(output.dataId) as Values;
      values.forEach((value, i) => {
        const units = unitsApart(value, expected[which][i], terms?.[which][i]);
        if (units <= worst) return;
        worst = units;
        if (worst > comparison.worst)
          Object.assign(comparison, { worst,
            where: `${call}: element ${i} is ${value}, on ${other} ${expected[which][i]}` });
      });
    });
    if (worst === 0) comparison.equal++;
  });
  return [...found.values()].sort((a, b) => b.worst - a.worst);
}

/** Difference in units of the last place of the larger number, or of `terms`. */
export function unitsApart(a: number, b: number, terms = 0): number {
  if (Object.is(a, b) || a === b) return 0;
  const units = Math.abs(a - b) / (Math.max(Math.abs(a), Math.abs(b), terms, 2 ** -126) * ULP);
  return Number.isNaN(units) ? Infinity : units;
}
