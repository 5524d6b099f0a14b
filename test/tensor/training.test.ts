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
  // the order of sums differs between back ends; after updates the difference has grown (3e-5 of the loss was seen after four steps)
  const tolerance = [2e-6, 1e-4];
  for (const other of losses.slice(1)) losses[0].forEach((loss, i) => assert.ok(Math.abs(other[i] - loss) < tolerance[i] * loss, `${other[i]}, expected ${loss}`));
});

test.run();
