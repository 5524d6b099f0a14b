import { test } from "uvu";
import * as assert from "uvu/assert";
import { mSmoe } from "../../sdk/merge/m-smoe.js";
import { meo } from "../../sdk/merge/meo.js";
import { redirect } from "../../sdk/merge/redirect.js";
import { planWith } from "../../sdk/methods.js";
import type { Profile } from "../../sdk/profile/profile.js";
import { taskSpecific } from "../../sdk/prune/task-specific.js";

// Plans by hand: one layer of four experts, used 4, 3, 2 and 1 times.
const cosine = [[1, 0.1, 0.9, 0.2], [0.1, 1, 0.3, 0.8], [0.9, 0.3, 1, 0.4], [0.2, 0.8, 0.4, 1]];
const profile: Profile = {
  version: 1,
  model: { id: "hand", fingerprint: "f" },
  data: { id: "hand", fingerprint: "", seed: 0 },
  tokens: { decoder: 10 },
  layers: {
    "layers.0": { experts: 4, tokens: 10, counts: [4, 3, 2, 1], routerLogitCosine: cosine, gateMass: [1, 6, 2, 1] },
  },
};

test("task-specific keeps the most used of every layer and masks the others", async () => {
  const { "layers.0": { slots, router } } = (await planWith(taskSpecific, profile, { keep: 2 })).layers;
  assert.equal(slots!.map(({ from }) => from), [[{ expert: 0, weight: 1 }], [{ expert: 1, weight: 1 }]]);
  assert.equal(router!.mask, [2, 3]);
  const slip = (await planWith(taskSpecific, profile, { keep: 2, mask: "released-product" })).layers["layers.0"];
  assert.equal([slip.slots, slip.router], [undefined, { mask: [2, 3], maskBy: "released-product" }]);
});

test("redirect has the groups of M-SMoE, each its leader alone", async () => {
  const [led, merged] = [(await planWith(redirect, profile, { keep: 2, ratio: "uniform" } as never)).layers["layers.0"],
    (await planWith(mSmoe, profile, { keep: 2, ratio: "uniform" })).layers["layers.0"]];
  assert.equal(led.expertOf, merged.expertOf);
  assert.equal(led.expertOf, [0, 1, 0, 1]);
  assert.equal(led.slots!.map(({ from }) => from), [[{ expert: 0, weight: 1 }], [{ expert: 1, weight: 1 }]]);
});

test("m-smoe takes the permutations to the expert that its groups are aligned to", async () => {
  // [reference][expert]: neurons of an expert in the order of the reference, here told apart by one number
  const all = Array.from({ length: 4 },
    (_, reference) => Array.from({ length: 4 }, (_, expert) => [10 * reference + expert]));
  // used 1, 2, 3 and 4 times: the leaders 2 and 3 are not the lowest of their groups
  const turned: Profile = { ...profile, layers: {
    "layers.0": { ...profile.layers["layers.0"], counts: [1, 2, 3, 4], activationMatching: { 0: all[0] },
      "activationMatching.all": Object.fromEntries(all.entries()) },
  } };
  const permutations = async (alignTo: "first" | "leader" | "lowest") =>
    (await planWith(mSmoe, turned, { keep: 2, ratio: "uniform", align: "activations", alignTo })).layers["layers.0"]
      .slots!.map(({ from, align }) => from.map(({ expert }) => align!.permutations![expert!][0]));
  assert.equal(await permutations("first"), [[3, 1], [2, 0]]);
  assert.equal(await permutations("leader"), [[33, 31], [22, 20]]);
  assert.equal(await permutations("lowest"), [[13, 11], [2, 0]]);
});

test("meo for a task adds up the experts of the largest gate mass, in proportion to it", async () => {
  const { slots, expertOf } = (await planWith(meo, profile, { keep: 2, level: "task" })).layers["layers.0"];
  assert.equal(slots, [{ from: [{ expert: 1, weight: 0.75 }, { expert: 2, weight: 0.25 }] }]);
  assert.equal(expertOf, [0, 0, 0, 0]);
});

test.run();
