import { test } from "uvu";
import * as assert from "uvu/assert";
import { setFused } from "../../sdk/tensor/fused.js";
import { ready } from "../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { firstDifference } from "../support/first-difference.js";
import { lockstep } from "../support/lockstep.js";
import { trainNano } from "../support/nano-training.js";

await ready();
const both = testedBackends.includes("torch");

/** Without fused operations both back ends run the same list of kernels. */
async function useComposed(backend: string): Promise<void> {
  await useBackend(backend);
  setFused({});
}

// Sums of up to 3,072 terms are added in another order: the expected difference grows as the root of their number and
// 12.7 units were seen; exp, sigmoid, rsqrt and softmax are approximations of a few units. Everything else is exact.
const SUMS = /MatMul|Sum|Mean|AddN|ScatterNd|Einsum/, APPROXIMATE = /Exp|Log|Softmax|[Ss]qrt|Tanh|Sigmoid|Erf|Pow/;

for (const [one, other] of [["wasm", "cpu"], ["torch", "wasm"]]) {
  (one === "torch" && !both ? test.skip : test)(
    `given the same inputs, every kernel of a training step on ${one} differs from ${other} by rounding alone`,
    async () => {
      await useComposed(other);
      await useComposed(one);
      const kernels = await lockstep(other, () => trainNano({ steps: 2, sequences: 2 }), 1);
      assert.ok(kernels.length > 25, `${kernels.length} kinds of kernels`);
      for (const { kernel, worst, where } of kernels) {
        const limit = SUMS.test(kernel) ? 40 : APPROXIMATE.test(kernel) ? 4 : 0;
        assert.ok(worst <= limit, `${kernel}: ${worst.toFixed(1)} units in the last place, ${limit} allowed: ${where}`);
      }
    },
  );
}

(both ? test : test.skip)("where two back ends part, the first differing operation is a sum in another order",
  async () => {
    const first = await firstDifference("torch", "wasm", useComposed, () => trainNano({ steps: 1, sequences: 2 }));
    assert.ok(first, "they never part: then this test has nothing to show");
    console.log(
      `after ${first.after} equal operations, ${first.kernel} of [${first.shapes.join("] and [")}] differs `
        + `by ${first.worst.toFixed(1)} units in the last place`,
    );
    assert.match(first.kernel, SUMS);
    assert.ok(first.worst < 40, `${first.worst}`);
  });

(both ? test : test.skip)(
  "losses agree to five digits after 20 steps, and drift no faster than after one rounding of the weights",
  async () => {
    const losses: Record<string, number[]> = {};
    for (const [name, backend, nudge] of [["torch", "torch", false], ["nudged", "torch", true], ["wasm", "wasm",
      false]] as const) {
      await useBackend(backend);
      losses[name] = await trainNano({ steps: 20, nudge });
    }
    const apart = (name: string) => losses.torch.map((loss, i) => Math.abs(losses[name][i] - loss) / loss);
    apart("wasm").forEach((difference, i) =>
      assert.ok(difference < 1e-5, `step ${i + 1}: ${losses.torch[i]} and ${losses.wasm[i]}`)
    );
    const most = (name: string) => Math.max(...apart(name));
    console.log(
      `largest difference of 20 losses: ${most("wasm").toExponential(1)} between back ends, `
        + `${most("nudged").toExponential(1)} on one after weights were changed in the last place`,
    );
    assert.ok(most("nudged") > 0, "the change of the weights had no effect");
    assert.ok(most("wasm") < 20 * most("nudged"), "back ends part faster than rounding explains");
  },
);

test.run();
