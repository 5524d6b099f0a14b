import { suite } from "uvu";
import * as assert from "uvu/assert";
import { from, load } from "../../sdk/pipeline.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("methods that fit weights");
const data = [{
  ids: Array.from({ length: 6 }, (_, row) => Array.from({ length: 10 }, (_, t) => 3 + (row * 13 + t * 7) % 50)),
  labels: Array.from({ length: 6 }, (_, row) => Array.from({ length: 10 }, (_, t) => 3 + (row * 11 + t * 5) % 50)),
}];
// one token, so that most experts see none
const little = [{ ids: [[4]], labels: [[5]] }];
const group = 4;

/** mean squared difference of logits from those of the model as it was loaded */
async function distance(study: Awaited<ReturnType<typeof changed>>): Promise<number> {
  const [one, other] = [await study.model.forward({ ids: data[0].ids }),
    await study.original.forward({ ids: data[0].ids })];
  const [a, b] = [await one.logits.data(), await other.logits.data()];
  one.dispose();
  other.dispose();
  return Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
}

async function changed(model: string, options: { method: string; [option: string]: unknown }, on = data) {
  const profiled = await load(fixture(`models/${model}`)).profile({ data: on });
  return from(profiled).compress(options as never);
}

const quantisers = [{ method: "nearest", group }, { method: "gptq", group }, { method: "gptq", group, actOrder: true },
  { method: "awq", group }];
const sparsifiers = [{ method: "magnitude" }, { method: "wanda" }, { method: "sparsegpt" }, { method: "magnitude",
  pattern: [2, 4], store: "sparse" }, { method: "wanda", pattern: [2, 4], store: "sparse" }, { method: "sparsegpt",
  pattern: [2, 4], store: "sparse" }];

for (const model of ["mixtral", "qwen2_moe", "deepseek_v2_lite", "llama"]) {
  for (const options of model === "mixtral" ? [...quantisers, ...sparsifiers] : [quantisers[1], sparsifiers[4]]) {
    test(`${model}: ${JSON.stringify(options)}: what it says it changes changes, and nothing else`, async () => {
      for (const weights of model === "llama" ? [["layers.1."]] as const : ["experts", "all"] as const) {
        const study = await changed(model, { ...options, weights });
        const names = Object.keys(study.plan!.weights!);
        const isChanged = (name: string) =>
          names.some((key) => key === name || key.endsWith(".") && name.startsWith(key));
        assert.not(names.some((name) => /router/.test(name)));
        if (weights === "experts") assert.ok(names.every((name) => name.includes(".experts.")));
        else assert.ok(names.some((name) => name.endsWith("attention.q") || name.endsWith("attention.o")));
        for (const name of [...study.model.weights.names()].filter((name) => /layers\.[01]\./.test(name)).slice(0,
          60)) {
          const [before, after] = [await study.original.weights.values(name), await study.model.weights.values(name)];
          const differs = before.some((value, i) => value !== after[i]);
          if (study.model.weights.info(name).shape.length === 2) assert.is(differs, isChanged(name), name);
          if ("method" in options && !("group" in options) && isChanged(name)) {
            const zeros = after.filter((value) => value === 0).length;
            assert.ok(zeros >= 0.5 * after.length && zeros <= 0.5 * after.length + before.length / 8 + 1,
              `${name}: ${zeros}`);
          }
        }
        assert.ok(await distance(study as never) > 0);
      }
    });
  }
}

test("more bits come nearer, and GPTQ nearer than rounding", async () => {
  const of = async (options: { method: string; [option: string]: unknown }) =>
    distance(await changed("mixtral", { group, ...options }) as never);
  const [two, four, eight] = [await of({ method: "gptq", bits: 2 }), await of({ method: "gptq", bits: 4 }),
    await of({ method: "gptq", bits: 8 })];
  assert.ok(eight < four && four < two, `${eight} ${four} ${two}`);
  const rounded = await of({ method: "nearest", bits: 2 });
  assert.ok(two < rounded, `gptq ${two}, nearest ${rounded}`);
});

test("experts that no token chose are rounded to the nearest, as nothing is known of their inputs", async () => {
  const study = await changed("mixtral", { method: "gptq", group }, little);
  const { counts } = study.profile!.layers["layers.0"];
  const unused = counts.findIndex((count) => count === 0);
  assert.equal(study.plan!.weights![`layers.0.experts.${unused}.`], {
    format: { kind: "grouped", bits: 4, group, scales: "F16", zero: "integer" },
  });
  const name = `layers.0.experts.${unused}.up`;
  assert.ok((await study.model.weights.values(name)).every(Number.isFinite));
});

test("layer by layer: the second layer is rounded for the inputs that the rounded first one gives", async () => {
  const gptq = (weights: string[]) => ({ method: "gptq" as const, bits: 2, group, weights });
  const profiled = await load(fixture("models/mixtral")).profile({ data });
  const once = await from(profiled).compress(gptq(["layers."]));
  const inTurn = await from(profiled).compress(gptq(["layers.0."])).compress(gptq(["layers.1."]));
  for (const [name, same] of [["layers.0.attention.q", true], ["layers.1.attention.q", false]] as const)
    assert.is((await once.model.weights.values(name)).join() === (await inTurn.model.weights.values(name)).join(), same,
      name);
});

test("what cannot be is refused by name", async () => {
  const code = async (options: { method: string; [option: string]: unknown }, model = "mixtral") =>
    (await rejects(changed(model, options))).code;
  assert.is(await code({ method: "gptq", group: 7 }), "bad-plan");
  assert.is(await code({ method: "gptq", group, weights: ["layers.9."] }), "unknown-weight");
  assert.is(await code({ method: "wanda", store: "sparse" }), "unknown-option-value");
  assert.is(await code({ method: "gptq", group }, "llama"), "no-experts");
});

test.run();
