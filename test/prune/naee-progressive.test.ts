import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Model } from "../../sdk/model/model.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { load } from "../../sdk/pipeline.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { LayerPlan } from "../../sdk/plan/plan.js";
import type { SubsetLoss } from "../../sdk/profile/observers/subset-loss.js";
import { keepExperts } from "../../sdk/prune/keep-experts.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("naee, step by step");
const data = [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4]],
  labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5]] }];
const mixtral = () => load(fixture("models/mixtral")).profile({ data });

test("every loss of every layer is the distance of the pruned model's output from the original's", async () => {
  const study = await mixtral().prune({ method: "naee", keep: 0.75, procedure: "progressive" });
  const { original } = study;
  const outputs = async (layers: Record<string, LayerPlan>) => {
    const planned = await applyPlan(original, { version: 1, for: await original.weights.fingerprint(), method: "test",
      options: {}, layers });
    const forward = await new Model("pruned", planned.spec, planned.weights).forward(data[0], {
      record: { routing: true },
    });
    const all = Object.fromEntries(
      await Promise.all(Object.entries(forward.routing).map(async ([id, { output }]) =>
        [id, await output.data()] as const
      )),
    );
    forward.dispose();
    return all;
  };
  const reference = await outputs({});
  const before: Record<string, LayerPlan> = {};
  for (const { id, ffn } of moeLayers(original.spec)) {
    const { losses } = study.profile!.layers[id]["subsetLoss.progressive.0.75"] as SubsetLoss;
    const tried = Object.entries(losses);
    assert.ok(tried.length > 1);
    for (const [dropped, loss] of tried.slice(0, 6)) {
      const kept = Array.from({ length: ffn.experts }, (_, e) => e).filter((e) =>
        !dropped.split(",").map(Number).includes(e)
      );
      const own = (await outputs({ ...before, [id]: keepExperts(kept, ffn.experts) }))[id];
      close([loss], [Math.hypot(...Array.from(own, (value, i) => value - reference[id][i]))], 1e-4,
        `${id} without ${dropped}`);
    }
    const least = tried.reduce((best, other) => (other[1] < best[1] ? other : best))[0];
    assert.equal(study.plan!.layers[id].router!.mask!.join(), least);
    before[id] = study.plan!.layers[id];
  }
});

test("the bound on subsets is an option, and says what to do", async () => {
  const error = await rejects(Promise.resolve(mixtral().prune({ method: "naee", keep: 0.5, maxSubsets: 2 })));
  assert.is(error.code, "too-many-subsets");
  assert.match(error.message, "maxSubsets");
  await mixtral().prune({ method: "naee", keep: 0.5, maxSubsets: 1000 });
});

test.run();
