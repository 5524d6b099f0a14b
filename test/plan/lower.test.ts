import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { MemorySource } from "../../sdk/model/memory-source.js";
import { Model } from "../../sdk/model/model.js";
import type { SpecAndWeights } from "../../sdk/model/spec-and-weights.js";
import { type MoeFfnSpec, moeLayers } from "../../sdk/model/spec.js";
import { units } from "../../sdk/model/units.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { forecast } from "../../sdk/plan/forecast.js";
import type { Plan } from "../../sdk/plan/plan.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { nanoMoe } from "../support/nano-moe.js";
import { fixture } from "../support/shared.js";

const test = suite("plans of version 2");
await ready();
const L = "layers.0";

async function planOf(model: SpecAndWeights, change: Partial<Plan>): Promise<Plan> {
  return { version: 2, for: await model.weights.fingerprint(), method: "test", options: {}, layers: {}, ...change };
}
async function says(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.is((error as { code?: string }).code, "bad-plan", (error as Error).stack);
    return (error as Error).message;
  }
  throw new Error("accepted");
}
async function logitsOf({ spec, weights }: SpecAndWeights): Promise<Float32Array> {
  const model = new Model("test", spec, weights);
  const run = await model.forward({ ids: [[5, 9, 2, 7, 1, 3]], ...(spec.encoder && { decoderIds: [[0, 4, 8]] }) });
  const values = Float32Array.from(await run.logits.data());
  run.dispose();
  await model.dispose();
  return values;
}
/** a copy whose rows or columns of these indices are zero */
async function masked(model: SpecAndWeights, name: string, kept: number[]): Promise<SpecAndWeights> {
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const tensor of model.weights.names())
    tensors.set(tensor, { shape: model.weights.info(tensor).shape, values: await model.weights.values(tensor) });
  for (const { weight, axis, times } of units(model.spec).find((unit) => unit.name === name)!.members) {
    const { shape, values } = tensors.get(weight)!;
    const inner = axis === 0 ? shape.slice(1).reduce((a, b) => a * b, 1) : 1;
    values.forEach((_, at) => {
      const index = Math.floor((Math.floor(at / inner) % shape[axis]) / times);
      if (!kept.includes(index)) values[at] = 0;
    });
  }
  return { spec: model.spec, weights: new MemorySource(tensors) };
}

for (const name of ["mixtral", "gpt_oss", "qwen2_moe", "llama"]) {
  test(`${name}: units that are cut are units that are masked`, async () => {
    const { model } = await openModel(fixture(`models/${name}`));
    const rng = new Rng(name);
    const table = units(model.spec);
    const chosen = new Map(
      [...new Map(table.map((unit) => [unit.name.replace(/\d+/g, ""), unit])).values()].map((unit) => {
        const keep = rng.shuffle(Array.from({ length: unit.count }, (_, at) => at)).slice(0, Math.ceil(unit.count / 2));
        return [unit.name, unit.count === 1 ? [0] : keep];
      }),
    );
    assert.ok(chosen.size > 1);
    const cut = await applyPlan(model,
      await planOf(model, { units: Object.fromEntries([...chosen].map(([name, keep]) => [name, { keep }])) }));
    for (const { name, shape } of expectedTensors(cut.spec)) assert.equal(cut.weights.info(name).shape, shape, name);
    let zeroed: SpecAndWeights = model;
    for (const [name, keep] of chosen) zeroed = await masked(zeroed, name, keep);
    const before = await logitsOf(model), after = await logitsOf(cut);
    close(after, await logitsOf(zeroed), 1e-5, "logits");
    assert.ok(after.some((logit, at) => Math.abs(logit - before[at]) > 1e-3), "nothing was cut");
    await model.dispose();
  });
}

const router: MoeFfnSpec["router"] = { kind: "softmax", topK: 4, normalize: true, scale: 1, bias: false, capacity: 0 };

test("a dense block becomes equal experts, or slices of itself that add up to it", async () => {
  const { model } = await openModel(fixture("models/llama"));
  const ffn = model.spec.decoder.layers[0].ffn!;
  if (ffn.kind !== "dense") throw new Error("no dense block");
  const spec = (width: number, outputScale: number) => ({
    ffn: { kind: "moe" as const, width: null, experts: 4, expertOf: [0, 1, 2, 3],
      slots: Array.from({ length: 4 }, () => ({ form: "dense" as const, width })), router: { ...router, outputScale } },
  });
  const weights = { [`${L}.router`]: { from: [{ normal: 0.02 }] } };
  const expected = await logitsOf(model);
  const whole = await applyPlan(model, await planOf(model, { weights, layers: {
    [L]: { spec: spec(ffn.width, 1) as never,
      slots: Array.from({ length: 4 }, () => ({ from: [{ block: "ffn" as const, weight: 1 }] })) },
  } }));
  close(await logitsOf(whole), expected, 1e-5, "whole");
  // every token takes all four with gates of a quarter, since the router is zero
  const quarter = ffn.width / 4;
  const sliced = await applyPlan(model, await planOf(model, {
    weights: { [`${L}.router`]: { from: [{ value: 0 }] } },
    layers: {
      [L]: { spec: spec(quarter, 4) as never, slots: [0, 1, 2, 3].map((at) => ({
        from: [{ block: "ffn" as const, weight: 1, neurons: [at * quarter, (at + 1) * quarter] as [number, number] }],
      })) },
    },
  }));
  assert.equal(moeLayers(sliced.spec)[0].ffn.slots.map(({ width }) => width), [quarter, quarter, quarter, quarter]);
  close(await logitsOf(sliced), expected, 1e-5, "slices");
  assert.match(await says(async () =>
    applyPlan(model, await planOf(model, {
      layers: {
        [L]: { spec: spec(ffn.width, 1) as never, slots: [{ from: [{ block: "ffn", weight: 1 }] }],
          expertOf: [0, 0, 0, 0] },
      },
    }))
  ), /layers\.0\.router is a weight of the planned model, and nothing says/);
  await model.dispose();
});

test("two models: a weight, a task vector, an expert", async () => {
  const [base, tuned] = [nanoMoe({ seed: 1 }), nanoMoe({ seed: 2 })];
  const plan = await planOf(base, { sources: { tuned: await tuned.weights.fingerprint() },
    layers: { [L]: { slots: [{ from: [{ expert: 0, weight: 0.5 }, { expert: 3, weight: 0.5, model: "tuned" }] }, {
      from: [{ expert: 2, weight: 1, model: "tuned" }],
    }], expertOf: [0, 0, 1, 1] } },
    weights: { "layers.1.": { from: [{ model: "tuned" }] },
      "layers.1.router": { from: [{}, { weight: 0.5, model: "tuned" }, { weight: -0.5 }] } } });
  const given = { sources: { tuned } };
  const said = forecast(base.spec, plan, { weights: base.weights, sources: { tuned: tuned.spec } });
  const merged = await applyPlan(base, plan, given);
  let bytes = 0;
  for (const name of merged.weights.names()) bytes += (await merged.weights.values(name)).byteLength;
  assert.is(said.sizeBytes.after, bytes);
  const [one, two] = await Promise.all([base, tuned].map(({ weights }) => (name: string) => weights.values(name)));
  const at = (name: string) => merged.weights.values(name);
  assert.equal(await at(`${L}.experts.1.up`), await two(`${L}.experts.2.up`));
  const [a, b] = [await one(`${L}.experts.0.down`), await two(`${L}.experts.3.down`)];
  close(await at(`${L}.experts.0.down`), a.map((value, i) => (value + b[i]) / 2), 1e-6);
  assert.equal(await at("layers.1.experts.2.up"), await two("layers.1.experts.2.up"));
  assert.equal(await at("embed"), await one("embed"));
  const [r, s] = [await one("layers.1.router"), await two("layers.1.router")];
  close(await at("layers.1.router"), r.map((value, i) => value + 0.5 * (s[i] - value)), 1e-6);
  try {
    await applyPlan(base, plan, { sources: { tuned: base } });
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, "plan-of-another-model");
  }
});

test("blocks that go, a router that is patched, an output that stands twice", async () => {
  const model = nanoMoe({ layers: 2 });
  const changed = await applyPlan(model, await planOf(model, {
    layers: { "layers.1": { drop: ["attention"], router: { rows: [2, 2, 0], spec: { topK: 2, normalize: true } } } },
  }));
  const { ffn } = moeLayers(changed.spec)[1];
  assert.equal([ffn.experts, ffn.expertOf, ffn.router.topK], [3, [2, 2, 0], 2]);
  assert.is(changed.spec.decoder.layers[1].attention, undefined);
  const [before, after] = [await model.weights.values("layers.1.router"),
    await changed.weights.values("layers.1.router")];
  assert.equal(after, Float32Array.from([2, 2, 0].flatMap((row) => [...before.subarray(6 * row, 6 * row + 6)])));
  assert.ok((await logitsOf(changed)).every(Number.isFinite));
});

test("version 1 says no word of version 2, and what is wrong is named", async () => {
  const model = nanoMoe();
  const refused = async (change: Partial<Plan>) => says(async () => applyPlan(model, await planOf(model, change)));
  assert.match(await refused({ version: 1, units: {} }), /holds "units"/);
  assert.match(await refused({ layers: { [L]: { router: { topK: 1 } } } }), /holds "topK"/);
  assert.match(await refused({ layers: { [L]: { router: { spec: { topk: 1 } as never } } } }), /topk/);
  assert.match(await refused({ units: { "layers.0.experts.9": { keep: [0] } } }), /experts\.9.*no unit/);
  assert.match(await refused({ units: { "layers.0.experts.1": { keep: [0, 0] } } }), /experts\.1\.keep/);
  assert.match(await refused({ weights: { "layers.0.routr": { from: [{ value: 0 }] } } }), /layers\.0\.routr/);
  assert.match(await refused({ weights: { "layers.0.router": { from: [{ name: "embed" }] } } }),
    /layers\.0\.router is made with shape 11 x 6, the planned model needs 4 x 6/);
  assert.match(await refused({ weights: { embed: { from: [{ model: "other" }] } } }), /"other", which was not given/);
});

test.run();
