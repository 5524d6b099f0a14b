import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lowRankSparse, svdCompression } from "../../sdk/compress/low-rank-sparse.js";
import { averaging } from "../../sdk/merge/averaging.js";
import { mSmoe } from "../../sdk/merge/m-smoe.js";
import { redirect } from "../../sdk/merge/redirect.js";
import { planWith } from "../../sdk/methods.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { nonZeroRows, readRemainder } from "../../sdk/model/form/low-rank-sparse.js";
import type { LowRankSparse } from "../../sdk/model/form/matrix-form.js";
import { type SpecAndWeights } from "../../sdk/model/spec-and-weights.js";
import { isFree, moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { Plan, SlotRecipe } from "../../sdk/plan/plan.js";
import { frequency } from "../../sdk/prune/frequency.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { MemoryWeights } from "../support/memory-weights.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("applyPlan");
await ready();

const L = "layers.0";
async function planOf(model: SpecAndWeights, layer: Plan["layers"][string], id = L): Promise<Plan> {
  return { version: 1, for: await model.weights.fingerprint(), method: "test", options: {}, layers: { [id]: layer } };
}
/** the planned model holds exactly the tensors that its architecture asks for, in their shapes */
function complete({ spec, weights }: SpecAndWeights): void {
  const expected = expectedTensors(spec);
  assert.equal([...weights.names()].sort(), expected.map(({ name }) => name).sort());
  for (const { name, shape } of expected) assert.equal(weights.info(name).shape, shape, name);
}
async function code(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

test("what a plan leaves alone is the original's, and nothing is read before it is asked for", async () => {
  const model = nanoMoe({ layers: 2 });
  const merged = await applyPlan(model, await planOf(model, {
    slots: [{ from: [{ expert: 0, weight: 0.5 }, { expert: 1, weight: 0.5 }] }, { from: [{ expert: 3, weight: 1 }] }],
    expertOf: [0, 0, 1, 1],
  }));
  complete(merged);
  assert.is(model.weights.reads.size, 0);
  await merged.weights.values(`${L}.experts.1.up`);
  assert.equal([...model.weights.reads.keys()], [`${L}.experts.3.up`]);
  assert.equal(await merged.weights.values("layers.1.experts.2.down"),
    await model.weights.values("layers.1.experts.2.down"));
});

test("a weighted sum, by hand", async () => {
  const model = nanoMoe();
  const merged = await applyPlan(model,
    await planOf(model, { slots: [{ from: [{ expert: 2, weight: 0.25 }, { expert: 1, weight: 0.75 }] }],
      expertOf: [0, 0, 0, 0] }));
  const [a, b] = [await model.weights.values(`${L}.experts.2.down`), await model.weights.values(`${L}.experts.1.down`)];
  close(await merged.weights.values(`${L}.experts.0.down`), a.map((value, i) => 0.25 * value + 0.75 * b[i]), 1e-6);
});

test("merging permuted copies is lossless with alignment and not without", async () => {
  for (const [gated, bias] of [[false, false], [true, true]]) {
    const model = nanoMoe({ gated, bias });
    permuteCopy(model.weights, 0, 2, 8, 6);
    const recipe =
      (align?: SlotRecipe["align"]): SlotRecipe[] => [{ from: [{ expert: 0, weight: 0.4 }, { expert: 2, weight: 0.6 }],
        align }];
    const name = `${L}.experts.0.up`;
    const original = await model.weights.values(name);
    const aligned = await applyPlan(model,
      await planOf(model, { slots: recipe({ by: "weights", to: "leader" }), expertOf: [0, 0, 0, 0] }));
    for (const suffix of ["up", "down", ...(gated ? ["gate"] : []),
      ...(bias ? ["up.bias", "gate.bias", "down.bias"] : [])]) {
      close(await aligned.weights.values(`${L}.experts.0.${suffix}`),
        await model.weights.values(`${L}.experts.0.${suffix}`), 1e-5, suffix);
    }
    const plain = await applyPlan(model, await planOf(model, { slots: recipe(), expertOf: [0, 0, 0, 0] }));
    const distance = (await plain.weights.values(name)).reduce((sum, value, i) => sum + (value - original[i]) ** 2, 0);
    assert.ok(distance > 1, "an unaligned merge of permuted copies changes the weights");
  }
});

test("every built-in plan gives a complete model, no tensor is leaked, twice the same bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 2 }), fc.boolean(), fc.integer(),
      async (experts, encoder, gated, seed) => {
        const model = nanoMoe({ experts, encoder, gated, seed });
        const profile = await nanoProfile(model, seed);
        const keep = 1 + (Math.abs(seed) % (experts - 1 || 1)) / 2;
        const plans = [await planWith(mSmoe, profile, { keep: Math.max(keep, 1.001) }),
          await planWith(mSmoe, profile, { keep: 0.5, ratio: "uniform", alignTo: "leader" }),
          await planWith(redirect, profile, { keep: 0.4 }), await planWith(averaging, profile, { keep: 0.5, seed }),
          await planWith(frequency, profile, { keep: 0.5 }),
          await planWith(lowRankSparse, profile, { rank: 2, keep: 0.5 })];
        for (const plan of plans) {
          const [once, twice] = await noLeaks(async () => {
            const pair = [await applyPlan(model, plan), await applyPlan(model, JSON.parse(JSON.stringify(plan)))];
            for (const { weights } of pair) (await weights.read([...weights.names()].at(-1)!)).dispose();
            return pair;
          });
          complete(once);
          for (const name of once.weights.names())
            assert.equal(await once.weights.values(name), await twice.weights.values(name), `${plan.method} ${name}`);
        }
      }),
    { numRuns: 6 },
  );
});

test("a plan on a merged model reads experts by router output", async () => {
  const model = nanoMoe();
  const merged = await applyPlan(model,
    await planOf(model, { slots: [{ from: [{ expert: 3, weight: 1 }] }, { from: [{ expert: 0, weight: 1 }] }],
      expertOf: [1, 1, 0, 0] }));
  const again = await applyPlan(merged,
    await planOf(merged, { slots: [{ from: [{ expert: 0, weight: 0.5 }, { expert: 2, weight: 0.5 }] }],
      expertOf: [0, 0, 0, 0] }));
  complete(again);
  const [a, b] = [await model.weights.values(`${L}.experts.0.up`), await model.weights.values(`${L}.experts.3.up`)];
  close(await again.weights.values(`${L}.experts.0.up`), a.map((value, i) => (value + b[i]) / 2), 1e-6);
});

test("low rank + sparse: with every row the weights are what they were; the kept rows are those of the " + "plan",
  async () => {
    const model = nanoMoe({ gated: true });
    const profile = await nanoProfile(model);
    const shapeOf = (
      { weights }: SpecAndWeights,
      name: string,
    ) => [weights.info(`${name}.u`).shape[0], weights.info(`${name}.v`).shape[1]];
    const remainder = (model: SpecAndWeights, name: string) =>
      readRemainder(model.weights, `${name}.s`, shapeOf(model, name));
    const sum = async (model: SpecAndWeights, name: string) => {
      const [u, v] = await Promise.all(["u", "v"].map((part) => model.weights.values(`${name}.${part}`)));
      const [rank, width] = model.weights.info(`${name}.v`).shape;
      return (await remainder(model, name)).map((value, n) => {
        let total = value;
        for (let k = 0; k < rank; k++) total += u[Math.floor(n / width) * rank + k] * v[k * width + (n % width)];
        return total;
      });
    };
    const whole = await applyPlan(model, await planWith(lowRankSparse, profile, { rank: 3, keep: 1 }));
    complete(whole);
    for (const matrix of ["up", "gate", "down"])
      close(await sum(whole, `${L}.experts.1.${matrix}`), await model.weights.values(`${L}.experts.1.${matrix}`), 1e-5,
        matrix);
    const sparse = await applyPlan(model, await planWith(lowRankSparse, profile, { rank: 3, keep: 0.25 }));
    complete(sparse);
    let [kept, all] = [0, 0];
    for (const { id, ffn } of moeLayers(sparse.spec)) {
      for (const [index, slot] of ffn.slots.entries()) {
        for (const [matrix, form] of Object.entries(isFree(slot) ? {} : slot.maps ?? {})) {
          const said = (form as LowRankSparse).rows;
          const name = `${id}.experts.${index}.${matrix}`;
          const [out, width] = shapeOf(sparse, name);
          assert.is(nonZeroRows(await remainder(sparse, name), width).length, said, name);
          if (said > 0) assert.equal(sparse.weights.info(`${name}.s`).shape, [said, width]);
          kept += said * width;
          all += out * width;
        }
      }
    }
    assert.ok(Math.abs(kept - 0.25 * all) < 8, `${kept} of ${all} numbers stay, to less than a row of 8`);
    const chosen = await applyPlan(model,
      await planWith(lowRankSparse, profile, { rank: 3, keep: 0.25,
        rows: { [L]: Array.from({ length: 4 }, () => ({ up: [0, 7, 3] })) } }));
    assert.equal(nonZeroRows(await remainder(chosen, `${L}.experts.1.up`), 6), [0, 3, 7]);
    const lowRank = await applyPlan(model, await planWith(svdCompression, profile, { rank: 3 }));
    complete(lowRank);
    assert.is(lowRank.weights.has(`${L}.experts.1.up.s`), false);
    // and a factored model is merged like any other
    const merged = await applyPlan(whole, {
      ...(await planWith(mSmoe, { ...profile, model: { id: "", fingerprint: await whole.weights.fingerprint() } }, {
        keep: 0.5,
      })),
    });
    complete(merged);
    const direct = await applyPlan(model, await planWith(mSmoe, profile, { keep: 0.5 }));
    close(await merged.weights.values(`${L}.experts.0.up`), await direct.weights.values(`${L}.experts.0.up`), 1e-5);
  });

test("each source is read once, however it is put together, the expert that all are aligned to as well", async () => {
  const from = (...experts: number[]) => experts.map((expert) => ({ expert, weight: 1 / experts.length }));
  const order = [7, 6, 5, 4, 3, 2, 1, 0];
  const ways: Record<string, Omit<SlotRecipe, "from">> = {
    sum: {},
    first: { align: { by: "weights", to: "first" } },
    leader: { align: { by: "weights", to: "leader" } },
    lowest: { align: { by: "weights", to: "lowest" } },
    permuted: { align: { by: "activations", to: "leader", permutations: { 1: order, 3: order } } },
    zip: { zip: Object.fromEntries([0, 1, 2, 3, 4, 5].map((expert) => [expert, order])) },
    factored: { align: { by: "weights", to: "first" }, form: { form: "low-rank-sparse", rank: 2, keep: 0.5 } },
  };
  for (const [name, way] of Object.entries(ways)) {
    const model = nanoMoe({ layers: 1, experts: 6, gated: true, bias: true });
    const merged = await applyPlan(model,
      await planOf(model, { slots: [from(2, 1, 3), from(4), from(5, 0)].map((from) => ({ from, ...way })),
        expertOf: [2, 0, 0, 0, 1, 2] }));
    for (const tensor of merged.weights.names()) await merged.weights.values(tensor);
    for (const [tensor, reads] of model.weights.reads) assert.is(reads, 1, `${name}: ${tensor}`);
    assert.is(model.weights.reads.size, [...model.weights.names()].length, name);
  }
});

test("elementwise weights: sum_i F_i W_i / sum_i F_i", async () => {
  const model = nanoMoe();
  const rng = new Rng(5);
  const fisher = new MemoryWeights(
    new Map([...model.weights.tensors].map(([name, { shape, values }]) => [name, { shape, values: values.map(() =>
      rng.next() + 0.1
    ) }])),
  );
  const plan = await planWith(mSmoe, await nanoProfile(model), { keep: 0.5, weights: "fisher", align: "none" });
  assert.is(await code(() => applyPlan(model, plan)), "tensors-missing");
  const merged = await noLeaks(async () => {
    const merged = await applyPlan(model, plan, { tensors: { fisher } });
    await merged.weights.values(`${L}.experts.0.up`);
    return merged;
  });
  const members = plan.layers[L].slots![0].from.map(({ expert }) => expert!);
  const [weights, factors] = await Promise.all(
    [model.weights, fisher].map((source) => Promise.all(members.map((e) => source.values(`${L}.experts.${e}.up`)))),
  );
  const expected = weights[0].map((_, i) =>
    members.reduce((sum, _, m) => sum + factors[m][i] * weights[m][i], 0)
    / members.reduce((sum, _, m) => sum + factors[m][i], 0)
  );
  close(await merged.weights.values(`${L}.experts.0.up`), expected, 1e-5);
});

test("dropped blocks, and T5's bias table moves to the first attention that is left", async () => {
  const model = nanoMoe({ layers: 3 });
  const table = await model.weights.values("layers.0.attention.relativeBias");
  for (const drop of ["attention", "layer", "ffn"] as const) {
    const dropped = await applyPlan(model, await planOf(model, { drop }));
    complete(dropped);
    if (drop !== "ffn") assert.equal(await dropped.weights.values("layers.1.attention.relativeBias"), table);
  }
});

test("a router that is cut to some outputs", async () => {
  const model = nanoMoe();
  const cut = await applyPlan(model,
    await planOf(model, { slots: [{ from: [{ expert: 3, weight: 1 }] }, { from: [{ expert: 1, weight: 1 }] }],
      expertOf: [-1, 1, -1, 0], router: { rows: [1, 3] } }));
  complete(cut);
  const { ffn } = moeLayers(cut.spec)[0];
  assert.equal([ffn.experts, ffn.expertOf], [2, [1, 0]]);
  const router = await model.weights.values(`${L}.router`);
  assert.equal(await cut.weights.values(`${L}.router`),
    Float32Array.from([...router.subarray(6, 12), ...router.subarray(18, 24)]));
});

test("a plan of another model is refused", async () => {
  const plan = await planOf(nanoMoe({ seed: 2 }), { router: { topK: 2 } });
  assert.is(await code(() => applyPlan(nanoMoe(), plan)), "plan-of-another-model");
});

function permuteCopy(weights: MemoryWeights, from: number, to: number, F: number, D: number): void {
  const order = new Rng(9).shuffle(Array.from({ length: F }, (_, f) => f));
  for (const [name, { values }] of weights.tensors) {
    if (!name.startsWith(`${L}.experts.${from}.`)) continue;
    const copy = weights.tensors.get(name.replace(`experts.${from}.`, `experts.${to}.`))!.values;
    const suffix = name.slice(`${L}.experts.${from}.`.length);
    if (suffix === "down.bias") copy.set(values);
    else if (suffix === "down") {
      for (let d = 0; d < D; d++) order.forEach((f, place) => (copy[d * F + place] = values[d * F + f]));
    } else {
      const width = values.length / F;
      order.forEach((f, place) => copy.set(values.subarray(f * width, (f + 1) * width), place * width));
    }
  }
}

test.run();
