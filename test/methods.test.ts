import { suite } from "uvu";
import * as assert from "uvu/assert";
import { groupBySimilarity } from "../sdk/merge/group-by-similarity.js";
import { mSmoe } from "../sdk/merge/m-smoe.js";
import { memberWeights } from "../sdk/merge/member-weights.js";
import { similarities } from "../sdk/merge/similarity.js";
import { dominantExperts } from "../sdk/method/dominant-experts.js";
import { changeLayers } from "../sdk/method/layers-to-change.js";
import { readOptions } from "../sdk/method/options.js";
import { defineMethod, methodNamed, planWith, statisticsFor } from "../sdk/methods.js";
import { cost } from "../sdk/model/cost.js";
import { applyPlan } from "../sdk/plan/apply.js";
import { diffPlans } from "../sdk/plan/diff.js";
import { forecast } from "../sdk/plan/forecast.js";
import { keepPerLayer } from "../sdk/plan/keep.js";
import { measurements } from "../sdk/profile/measurements.js";
import { keepExperts } from "../sdk/prune/keep-experts.js";
import { methodList } from "../sdk/stages/method-list.js";
import { ready, Rng } from "../sdk/tensor/index.js";
import { nanoMoe, nanoProfile } from "./support/nano-moe.js";

const test = suite("methods");
await ready();

async function failure(run: () => unknown): Promise<{ code?: string; message: string }> {
  try {
    await run();
  } catch (error) {
    return error as { code: string; message: string };
  }
  return { message: "nothing was thrown" };
}

test("the docstring examples", () => {
  assert.equal(dominantExperts([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3]], 2), [[0], [0, 1, 2]]);
  assert.equal(groupBySimilarity([0.6, 0.3, 0.1], [[1, 0, 0.9], [0, 1, 0.2], [0.9, 0.2, 1]], [0, 1]), [0, 1, 0]);
  assert.is(keepPerLayer(0.25, 16, "merge"), 4);
  const weights = memberWeights([0.6, 0.2, 0.2], [0, 2], "frequency", new Rng(0));
  assert.ok(Math.abs(weights[0] - 0.75) < 1e-12 && Math.abs(weights[1] - 0.25) < 1e-12);
  assert.equal(keepExperts([2, 0], 3), {
    slots: [{ from: [{ expert: 0, weight: 1 }] }, { from: [{ expert: 2, weight: 1 }] }],
    expertOf: [0, -1, 1],
    router: { mask: [1] },
  });
});

test("a group that was never used is represented by its leader", () => {
  assert.equal(memberWeights([1, 0, 0], [2, 1], "frequency", new Rng(0)), [1, 0]);
});

test("keep out of range, unknown method, option, value and layer: each says what is accepted", async () => {
  const profile = await nanoProfile(nanoMoe());
  for (const keep of [0, -1, 4.5, 40, NaN, "4" as never])
    assert.is((await failure(() => planWith(mSmoe, profile, { keep }))).code, "keep-out-of-range", `${keep}`);
  assert.match((await failure(() => planWith(mSmoe, profile, { keep: 40 }))).message,
    /keep is 40 of 4 experts; accepted is a count from 1 to 4, or a share above 0 and up to 1\. Lower keep\./);
  assert.match((await failure(() => methodNamed("m-smo", "merge"))).message, /Did you mean "m-smoe"/);
  assert.is((await failure(() => methodNamed("reap", "merge"))).code, "unknown-method");
  assert.match((await failure(() => planWith(mSmoe, profile, { kep: 2 } as never))).message,
    /no option "kep"\. Did you mean "keep"/);
  assert.match(
    (await failure(() => planWith(mSmoe, profile, { keep: 2, similarity: "router-logit" as never }))).message,
    /Did you mean "router-logits"/,
  );
  assert.match((await failure(() => planWith(mSmoe, profile, { keep: 2, exclude: ["layers.9"] }))).message,
    /layers\.9/);
  assert.is((await failure(() => planWith(mSmoe, profile, { keep: 2, similarity: "weight" }))).code,
    "statistic-missing");
});

test("what an option may be is checked before anything runs, and says what was seen and what is accepted", async () => {
  const refused = async (method: string, options: Record<string, unknown>, code: string, words: string) => {
    const failed = await failure(() => readOptions(methodNamed(method), options));
    assert.is(failed.code, code, failed.message);
    assert.ok(failed.message.includes(words), failed.message);
  };
  const shares = "accepted by m-smoe is a share above 0 and up to 1, or a count from 1 to the number of experts";
  await refused("m-smoe", { keep: "a quarter" }, "keep-out-of-range", `merge: keep is "a quarter"; ${shares}`);
  await refused("m-smoe", { keep: NaN }, "keep-out-of-range", `keep is NaN; ${shares}`);
  await refused("m-smoe", {}, "missing-option", "m-smoe was not told keep");
  await refused("m-smoe", { keep: 2, ratio: "unifrm" }, "unknown-option-value",
    `ratio is "unifrm". Did you mean "uniform"`);
  await refused("m-smoe", { keep: 2, combine: "yes" }, "unknown-option-value", "is true or false");
  await refused("m-smoe", { keep: 2, capacity: { encoders: 3 } }, "unknown-option-value",
    "capacity is { encoders: 3 }");
  await refused("m-smoe", { keep: 2, exclude: "layers.0" }, "unknown-option-value", "a list of names of layers");
  await refused("svd", { rank: 2.5 }, "rank-out-of-range", "a whole number from 1");
  await refused("low-rank-sparse", { rank: 2, keep: 1.5 }, "keep-out-of-range", "from 0 to 1");
  await refused("dynamic-skipping", { threshold: "medium" }, "unknown-option-value",
    `"median", "mean", a number from 0`);
  await refused("naee", { keep: 2, maxSubsets: 0 }, "max-subsets-out-of-range", "a number from 1");
  assert.equal(readOptions(methodNamed("reap"), { keep: 2, ties: undefined }), { keep: 2, criterion: "reap",
    ties: "lower", scope: "layer", exclude: [] });
});

test("every option says what it does, and what holds when it is not given is accepted", () => {
  for (const { name, options = {} } of methodList().filter(({ name }) => name !== "keep-last")) {
    for (const [option, row] of Object.entries(options)) {
      assert.ok(row.about.length > 10, `${name} ${option}`);
      const required = Object.entries(options).flatMap(([other, { default: usual, otherwise }]) =>
        usual === undefined && otherwise === undefined ? [[other, 1]] : []
      );
      if (row.default !== undefined)
        readOptions(methodNamed(name), { ...Object.fromEntries(required), [option]: row.default });
    }
  }
});

test("keep of everything changes nothing", async () => {
  const profile = await nanoProfile(nanoMoe());
  for (const keep of [1, 4]) assert.equal((await planWith(mSmoe, profile, { keep })).layers, {});
});

test("total groups equal the budget when nothing ties", async () => {
  const model = nanoMoe({ layers: 4, experts: 16 });
  for (let seed = 1; seed < 6; seed++) {
    const plan = await planWith(mSmoe, await nanoProfile(model, seed), { keep: 4 });
    assert.is(Object.values(plan.layers).reduce((sum, { slots }) => sum + slots!.length, 0), 16);
  }
});

test("the first MoE layer of the encoder stays by default, and another when told", async () => {
  const model = nanoMoe({ encoder: 2, layers: 1 });
  const profile = await nanoProfile(model);
  assert.equal(Object.keys((await planWith(mSmoe, profile, { keep: 2 })).layers), ["encoder.layers.1", "layers.0"]);
  assert.equal(Object.keys((await planWith(mSmoe, profile, { keep: 2, exclude: ["layers.0"] })).layers), [
    "encoder.layers.0",
    "encoder.layers.1",
  ]);
});

test("every method is listed with a paper or a reason, and what it needs can be observed", () => {
  const list = methodList();
  assert.ok(list.length >= 10);
  for (const { name, about } of list) assert.ok(about && about.length > 20, name);
  const given = (name: string, base: string) => {
    const takes = methodNamed(name).options ?? {};
    return { ...(takes.rank ? { rank: 2 } : takes.keep && { keep: 0.5 }), ...(takes.drop && { drop: 1 }),
      ...(name === "hc-smoe" && { base }) };
  };
  for (const { name } of list) {
    for (const base of ["mean-output", "router-logits", "weight"]) {
      const { observers } = measurements(statisticsFor(methodNamed(name), given(name, base)), nanoMoe());
      assert.is(observers[0].name, "usage");
    }
  }
  for (const similarity of similarities) measurements(statisticsFor(mSmoe, { keep: 0.5, similarity }), nanoMoe());
});

test("a method of one's own in five lines: planned, forecast, applied", async () => {
  const keepLast = defineMethod({
    name: "keep-last",
    plan: (profile, { keep }) =>
      changeLayers(profile, [], ({ experts }) =>
        keepExperts(Array.from({ length: keep }, (_, i) => experts - 1 - i), experts)),
  });
  const model = nanoMoe();
  const plan = await planWith(methodNamed("keep-last"), await nanoProfile(model), { keep: 2 });
  const pruned = await applyPlan(model, plan);
  assert.is(forecast(model.spec, plan).parameters.after, cost(pruned.spec).parameters.total);
  assert.equal(await pruned.weights.values("layers.0.experts.1.up"),
    await model.weights.values("layers.0.experts.3.up"));
  const { layers, ...header } = plan;
  assert.equal(header, { version: 1, for: await model.weights.fingerprint(), method: "keep-last",
    options: { keep: 2 } });
  assert.is(defineMethod(keepLast), keepLast);
  assert.is((await failure(() => defineMethod({ ...keepLast, name: "m-smoe" }))).code, "method-name-taken");
});

test("forecast equals what is then stored, for every built-in method that needs only usage and logits", async () => {
  const model = nanoMoe({ encoder: 2, gated: true, experts: 6 });
  const profile = await nanoProfile(model);
  for (const [name, options] of Object.entries({ "m-smoe": { keep: 2 }, redirect: { keep: 2 }, averaging: { keep: 2 },
    "git-rebasin": { keep: 2 }, frequency: { keep: 2 } })) {
    const plan = await planWith(methodNamed(name), profile, options);
    const expected = forecast(model.spec, plan, { weights: model.weights });
    const applied = await applyPlan(model, plan);
    const stored = [...applied.weights.names()].reduce((sum, tensor) => sum + applied.weights.info(tensor).sizeBytes,
      0);
    assert.is(expected.sizeBytes.after, stored, name);
    assert.ok(expected.parameters.after < expected.parameters.before);
    assert.ok(name === "redirect" || name === "frequency" ? expected.work.multiplies === 0 : expected.work.numbers > 0,
      name);
  }
});

test("diff: equal plans, regrouped experts", async () => {
  const profile = await nanoProfile(nanoMoe({ experts: 8 }));
  const [a, b] = [await planWith(mSmoe, profile, { keep: 4 }), await planWith(mSmoe, profile, { keep: 2 })];
  assert.equal(diffPlans(a, a), []);
  const differences = diffPlans(a, b);
  assert.ok(differences.some(({ regrouped }) => regrouped.length > 0));
  assert.equal(diffPlans(a, { ...a, layers: {} }).map(({ fields }) => fields),
    Object.keys(a.layers).map(() => ["only in the first"]));
  const renumbered = structuredClone(a);
  const layer = renumbered.layers["layers.0"];
  layer.slots!.reverse();
  layer.expertOf = layer.expertOf!.map((slot) => layer.slots!.length - 1 - slot);
  assert.equal(diffPlans(a, renumbered).map(({ regrouped }) => regrouped), layer.slots!.length > 1 ? [[]] : []);
});

test.run();
