import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zipNeurons } from "../../sdk/match/zip-neurons.js";
import { averaging } from "../../sdk/merge/averaging.js";
import { gitRebasin } from "../../sdk/merge/git-rebasin.js";
import { repair } from "../../sdk/merge/repair.js";
import { zipit } from "../../sdk/merge/zipit.js";
import { planWith } from "../../sdk/methods.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { buildProfile } from "../../sdk/profile/build-profile.js";
import { observerNamed } from "../../sdk/profile/observers/named.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";
import { replay, stacked } from "../support/oracle.js";

const test = suite("merging baselines");
await ready();

const [D, F, E] = [6, 8, 4];
/** experts 1 to 3 are the first with their neurons in another order */
async function permutedCopies() {
  const model = nanoMoe({ layers: 1 });
  const rng = new Rng(3);
  const first = { up: await model.weights.values("layers.0.experts.0.up"),
    down: await model.weights.values("layers.0.experts.0.down") };
  for (let e = 1; e < E; e++) {
    const order = rng.shuffle(Array.from({ length: F }, (_, f) => f));
    const [up, down] = ["up", "down"].map((matrix) =>
      model.weights.tensors.get(`layers.0.experts.${e}.${matrix}`)!.values
    );
    order.forEach((f, place) => {
      up.set(first.up.subarray(f * D, (f + 1) * D), place * D);
      for (let d = 0; d < D; d++) down[d * F + place] = first.down[d * F + f];
    });
  }
  return model;
}

async function profileOf(model: Awaited<ReturnType<typeof permutedCopies>>, statistics: string[]) {
  const observers = ["usage", ...statistics].map((name) => observerNamed(name));
  const rng = new Rng(8);
  const N = 60;
  const [{ id, ffn }] = moeLayers(model.spec);
  const tokens = { input: { shape: [N, D], values: Float32Array.from({ length: N * D }, () => rng.normal()) },
    logits: { shape: [N, E], values: Float32Array.from({ length: N * E }, () => rng.normal()) } };
  const { event, dispose } = replay(id, ffn, await stacked(model.weights, id, E), tokens);
  for (const observer of observers) await observer.see(event);
  const output = await event.output.data();
  dispose();
  const profile = buildProfile(observers, { model: { id: "nano", fingerprint: await model.weights.fingerprint() },
    data: { id: "none", fingerprint: "", seed: 0 } });
  return { profile, tokens, output };
}

for (const [method, lossless, statistic] of [[gitRebasin, true, "usage"], [repair, true, "activationMatching.all"], [
  zipit,
  true,
  "zip.2.5",
], [averaging, false, "usage"]] as const) {
  test(`${method.name}: permuted copies of one expert merge ${lossless ? "without loss" : "with loss"}`, async () => {
    const model = await permutedCopies();
    const { profile, tokens, output } = await profileOf(model, [statistic]);
    const merged = await applyPlan(model, await planWith(method, profile, { keep: 2, seed: 5 }));
    const [{ id, ffn }] = moeLayers(merged.spec);
    assert.is(ffn.slots.length, 2);
    const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, 2), tokens);
    const after = await event.output.data();
    dispose();
    // sums of 8 products in another order
    if (lossless) close(after, output, 1e-4, method.name);
    else assert.ok(Math.max(...after.map((value, i) => Math.abs(value - output[i]))) > 0.1);
  });
}

test(
  "zipit: by mean, outgoing weights of a place are the mean over its neurons, and not their share of " + "the experts",
  async () => {
    const model = await permutedCopies();
    const { profile } = await profileOf(model, ["zip.2.5"]);
    const layer = Object.keys(profile.layers)[0];
    const [byZip, byMean] = [await planWith(zipit, profile, { keep: 2, seed: 5 }),
      await planWith(zipit, profile, { keep: 2, seed: 5, zipBy: "mean" })];
    for (const plan of [byZip, byMean])
      for (const { zip } of plan.layers[layer].slots!)
        for (const places of Object.values(zip as Record<number, number[]>)) places.fill(0);
    const down = async (plan: typeof byZip) => (await applyPlan(model, plan)).weights.values(`${layer}.experts.0.down`);
    // all neurons of all members in one place: their sum divided by the experts is F times their mean
    const [sum, mean] = [await down(byZip), await down(byMean)];
    const F =
      (byZip.layers[layer].slots![0].zip as Record<number, number[]>)[byZip.layers[layer].slots![0].from[0].expert!]
        .length;
    close(mean.map((value) => value * F), sum, 1e-4);
    await planWith(zipit, profile, { keep: 2, seed: 5, zipBy: "sum" as never }).then(() => assert.unreachable(),
      ({ message }) => assert.match(message, /zipBy/));
  },
);

test("groups follow from seed and layer: every baseline has the same, another seed has others", async () => {
  const profile = await nanoProfile(nanoMoe({ experts: 16, layers: 2 }));
  const labels = async (method: typeof averaging | typeof gitRebasin, seed: number) =>
    JSON.stringify(
      Object.values((await planWith(method, profile, { keep: 4, seed })).layers).map(({ expertOf }) => expertOf),
    );
  assert.is(await labels(averaging, 1), await labels(gitRebasin, 1));
  assert.is.not(await labels(averaging, 1), await labels(averaging, 2));
  const [a, b] = Object.values((await planWith(averaging, profile, { keep: 4, seed: 1 })).layers);
  assert.is.not(JSON.stringify(a.expertOf), JSON.stringify(b.expertOf));
  for (const group of [0, 1, 2, 3]) assert.is(a.expertOf!.filter((label) => label === group).length, 4);
});

test("zipNeurons: the docstring's example, and a planted pairing", () => {
  assert.equal(zipNeurons(Float32Array.of(1, 0.9, 0, 0.9, 1, 0, 0, 0, 1), 3, 2), [0, 0, 1]);
  const pairs = [3, 2, 1, 0];
  const n = 8;
  const correlation = Float32Array.from({ length: n * n }, (_, k) => {
    const [i, j] = [Math.floor(k / n), k % n];
    return i === j || (i < 4 && j === 4 + pairs[i]) || (j < 4 && i === 4 + pairs[j]) ? 1 - (i + j) / 1000 : 0.01;
  });
  const places = zipNeurons(correlation, n, 4);
  pairs.forEach((partner, i) => assert.is(places[i], places[4 + partner]));
});

test.run();
