import { createHash } from "node:crypto";
import { tf } from "../../sdk/tensor/index.js";
import { unitsApart } from "./lockstep.js";
import { repeatKernel, type Values, watchKernels } from "./repeat-kernel.js";

/** The first operation whose result has other bits than on the other back end, its inputs having had the same. */
export interface FirstDifference {
  /** how many operations before it gave equal bits */
  after: number;
  kernel: string;
  shapes: number[][];
  /** in units of the last place, of the sum of the absolute terms where it sums */
  worst: number;
}

/** Does the same work on two back ends and finds where their numbers part. `activate` makes a back end active. */
export async function firstDifference(
  one: string,
  other: string,
  activate: (backend: string) => Promise<void>,
  work: () => Promise<unknown>,
): Promise<FirstDifference | undefined> {
  const trace: string[] = [];
  await activate(one);
  await watchKernels(work,
    (name, _, __, outputs) =>
      void trace.push(`${name} ${hashOf(outputs.map((x) => tf.backend().readSync(x.dataId) as Values))}`));
  let found: FirstDifference | undefined;
  let calls = 0;
  await activate(other);
  await watchKernels(work, (name, inputs, attrs, outputs) => {
    const call = calls++;
    if (found) return;
    const values = outputs.map((x) => tf.backend().readSync(x.dataId) as Values);
    if (`${name} ${hashOf(values)}` === trace[call]) return;
    const expected = repeatKernel(one, name, inputs, attrs);
    // the other back end gives just what it gave in its own run: so the inputs are the same, and this operation is the
    // cause
    if (`${name} ${hashOf(expected)}` !== trace[call])
      throw new Error(
        `operation ${call}, ${name}: the runs take other ways before their numbers differ (${trace[call]})`,
      );
    const terms = repeatKernel(one, name, inputs, attrs, Math.abs);
    const units = values.flatMap((numbers, i) =>
      Array.from(numbers, (x, j) => unitsApart(x, expected[i][j], terms[i][j]))
    );
    const worst = units.reduce((most, apart) => Math.max(most, apart), 0);
    found = { after: call, kernel: name, shapes: Object.values(inputs).flat().flatMap((x) => (x ? [x.shape] : [])),
      worst };
  });
  return found;
}

function hashOf(results: Values[]): string {
  const hash = createHash("sha1");
  // -0 and 0 count as one number
  for (const values of results)
    hash.update(values instanceof Float32Array ? Float32Array.from(values, (x) => x + 0) : values);
  return hash.digest("base64");
}
