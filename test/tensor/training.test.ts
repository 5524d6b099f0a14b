import { test } from "uvu";
import * as assert from "uvu/assert";
import { timeSteps } from "../bench/tensor/moe-step.js";
import { testedBackends, useBackend } from "../support/backends.js";

// plain JavaScript would take minutes
const backends = testedBackends.filter((name) => name !== "cpu");

test("training steps of a small MoE model leak nothing, and back ends agree on the losses", async () => {
  const losses: [first: number, last: number][] = [];
  for (const backend of backends) {
    await useBackend(backend);
    const { firstLoss, lastLoss, leakedTensors } = timeSteps("sdk", 1);
    assert.is(leakedTensors, 0, backend);
    assert.ok(lastLoss < firstLoss, `${backend}: ${firstLoss}, then ${lastLoss}`);
    losses.push([firstLoss, lastLoss]);
  }
  // Gradients agree to 4e-8, but AdamW divides each by its own size: some twenty of the 2.4 million numbers, with
  // gradients below
  // 1e-8, where rounding is all there is, move up to 6e-5 apart in the first step; the loss was 8e-5 apart after three.
  // With
  // eps 1e-5 instead of 1e-8 the losses had the same bits.
  const tolerance = [2e-6, 1e-4];
  for (const other of losses.slice(1))
    losses[0].forEach((loss, i) =>
      assert.ok(Math.abs(other[i] - loss) < tolerance[i] * loss, `${other[i]}, expected ${loss}`)
    );
});

test.run();
