import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../sdk/moe.js";
import { from, load } from "../sdk/pipeline.js";
import { Study } from "../sdk/stages/study.js";
import { DISPLAY } from "../sdk/view/displayable.js";
import { fixture } from "./support/shared.js";

/** Batches in the vocabulary of a fixture: words of three tokens to be copied. */
const data = [0, 1, 2, 3].map((k) => {
  const words = [0, 1, 2, 3, 4, 5].map(
    (row) => [3 + ((row * 7 + k) % 60), 3 + ((row * 11 + k * 5) % 60), 3 + ((row * 13 + 2 * k) % 60)]
  );
  return { ids: words, decoderIds: words.map(([a, b]) => [0, a, b]), labels: words };
});
const switchModel = () => load(fixture("models/switch_transformers"));

async function refused(run: () => PromiseLike<unknown>, code: string, ...words: string[]): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as { code?: string }).code, code, String(error));
    for (const word of words) assert.match((error as Error).message, word);
    return;
  }
  assert.unreachable(`was not refused with ${code}`);
}

test("the chain of the design runs, and the saved model gives the same logits", async () => {
  const study = await switchModel().profile({ data }).merge({ method: "m-smoe", keep: 0.25 }).evaluate({ data });
  assert.instance(study, Study);
  assert.equal(study.steps.map(({ stage }) => stage), ["load", "profile", "plan", "apply", "evaluate"]);
  const { before, after } = study.evaluation!;
  assert.ok(after.cost.parameters.total < before!.cost.parameters.total);
  assert.is(after.cost.flopsPerToken, before!.cost.flopsPerToken, "merging saves no compute");
  assert.ok(after.scores[0].metrics.kl.value > 0);

  const folder = join(await mkdtemp(join(tmpdir(), "moelab-")), "merged");
  await from(study).save(folder);
  const again = await load(folder);
  const batch = { ids: data[0].ids, decoderIds: data[0].decoderIds };
  const [a, b] = [await study.model.forward(batch), await again.model.forward(batch)];
  assert.equal(Array.from(await a.logits.data()), Array.from(await b.logits.data()));
  a.dispose();
  b.dispose();
  const about = JSON.parse(await readFile(join(folder, "moelab.json"), "utf8"));
  assert.is(about.model, "switch_transformers");
  assert.is(about.steps[2].plan.method, "m-smoe");
  await refused(() => from(study).save(folder), "folder-exists");
  await rm(join(folder, ".."), { recursive: true });
});

test("a chain is lazy, runs once, and leaves earlier studies as they are", async () => {
  const chain = load("no such model at all");
  await new Promise((done) => setTimeout(done, 20)); // an unawaited chain must not reject
  await refused(() => chain, "no-such-model");
  const profiled = await switchModel().profile({ data });
  const merged = await from(profiled).merge({ method: "redirect", keep: 2 });
  assert.is(profiled.model, profiled.original);
  assert.is.not(merged.model, profiled.model);
  assert.is((await from(profiled).prune({ method: "frequency", keep: 2 })).original, profiled.original);
});

test("a plan can be forecast before it is carried out", async () => {
  const planned = switchModel().profile({ data }).plan({ method: "m-smoe", keep: 2 });
  const forecast = await planned.forecast();
  const study = await planned.apply().evaluate({ data });
  assert.is(forecast.after.parameters.total, study.evaluation!.after.cost.parameters.total);
  const direct = await switchModel().apply((await planned).plan!);
  assert.is(await direct.model.weights.fingerprint(), await study.model.weights.fingerprint());
});

test("arms are compared on the same items", async () => {
  const profiled = await switchModel().profile({ data });
  const comparison = await from(profiled).compare([{ arm: "a", method: "m-smoe", keep: 2 }, { arm: "b",
    method: "averaging", keep: 2, seed: 3 }], { data });
  assert.equal(comparison.rows.map(({ arm }) => arm), ["full", "a", "b"]);
  assert.is(comparison.rows[1].difference!.n, 24);
  assert.match(String((await comparison[DISPLAY]()).data["text/html"]), "<table");
});

test("distilling a merged model brings it nearer to the original", async () => {
  const merged = await switchModel().profile({ data }).merge({ method: "averaging", keep: 2 });
  const scored = await from(merged).evaluate({ data });
  const recovered = await from(merged).distill({ data, steps: 40, lr: 1e-3, batch: 6, alpha: 100, items: 24 }).evaluate(
    { data },
  );
  const kl = (study: Study) => study.evaluation!.after.scores[0].metrics.kl.value;
  assert.ok(kl(recovered) < kl(scored), `KL ${kl(scored)} before, ${kl(recovered)} after`);
});

test("a study draws itself after every stage", async () => {
  const profiled = await switchModel().profile({ data });
  for (const study of [await switchModel(), profiled, await from(profiled).plan({ method: "m-smoe", keep: 2 }),
    await from(profiled).evaluate({ data })]) {
    const { data: shown } = await study[DISPLAY]();
    assert.match(String(shown["text/html"]), "<table");
    assert.ok(String(shown["text/plain"]).length > 40);
  }
});

test("every verb after a change measures again by itself, on the data of the first profile", async () => {
  const merged = await switchModel().profile({ data }).merge({ method: "averaging", keep: 4 });
  const fingerprint = await merged.model.weights.fingerprint();
  const again = [await from(merged).plan({ method: "m-smoe", keep: 2 }),
    await from(merged).merge({ method: "redirect", keep: 2 }), await from(merged).prune({ method: "reap", keep: 4 }),
    await from(merged).compress({ method: "svd", rank: 2 }),
    await from(merged).route({ method: "dynamic-skipping", threshold: 0.5 })];
  for (const study of again) {
    assert.is(study.profile!.model.fingerprint, fingerprint);
    assert.is(study.profile!.data.fingerprint, merged.profile!.data.fingerprint);
    assert.is(study.plan!.for, fingerprint);
    assert.is(study.steps.filter(({ stage }) => stage === "profile").length, 2);
  }
  // what was measured by hand is not measured again
  const byHand = await from(merged).profile({ data }).prune({ method: "frequency", keep: 2 });
  assert.is(byHand.steps.filter(({ stage }) => stage === "profile").length, 2);
  const compared = await from(merged).compare([{ arm: "a", method: "redirect", keep: 2 }], { data });
  assert.equal(compared.rows.map(({ arm }) => arm), ["now", "a"]);
  const unmeasured = await switchModel().apply(
    (await switchModel().profile({ data }).plan({ method: "averaging", keep: 4 })).plan!,
  );
  await refused(() => from(unmeasured).prune({ method: "frequency", keep: 2 }), "wrong-order", "nothing was measured",
    ".profile()");
});

test("bad input gets one clear error", async () => {
  const profiled = await switchModel().profile({ data });
  await refused(() => load("nano-swich"), "no-such-model", "nano-switch");
  await refused(() => from(profiled).merge({ method: "m-smo", keep: 2 }), "unknown-method", "Did you mean \"m-smoe\"?");
  // seen before any stage runs: nothing is loaded or measured for a slip of the pen
  const nowhere = () => load("no such model at all").profile();
  await refused(() => nowhere().merge({ method: "m-smo", keep: 2 }).evaluate(), "unknown-method");
  await refused(() => nowhere().prune({ method: "reap", keeps: 2 } as never), "unknown-option",
    "Did you mean \"keep\"?");
  await refused(() => nowhere().merge({ method: "m-smoe", keep: "a quarter" as never }), "keep-out-of-range",
    "a quarter");
  await refused(() => nowhere().prune({ method: "reap", keep: 2, ties: "tourch" as never }), "unknown-option-value",
    "Did you mean \"torch\"?");
  await refused(
    () => nowhere().compare([{ arm: "a", method: "redirect", keep: 2 }, { arm: "b", method: "redirekt", keep: 2 }]),
    "unknown-method",
  );
  for (const keep of [0, -1, 9, NaN])
    await refused(() => from(profiled).merge({ method: "m-smoe", keep }), "keep-out-of-range");
  await refused(() => (switchModel() as never as ReturnType<typeof from>).merge({ method: "m-smoe", keep: 2 }),
    "wrong-order", ".profile()");
  await refused(() => (switchModel() as never as ReturnType<typeof from>).apply(undefined as never), "wrong-order");
  const other = await load(fixture("models/mixtral")).profile({ data: [{ ids: [[4, 5, 6]], labels: [[5, 6, 7]] }] });
  const mixed = new Study({ ...profiled.state, profile: other.profile });
  await refused(() => from(mixed).merge({ method: "m-smoe", keep: 2 }), "profile-of-another-model", "mixtral");
  await refused(
    () =>
      load(fixture("models/mixtral")).apply({ version: 1, for: "0".repeat(64), method: "m-smoe", options: {},
        layers: {} }),
    "plan-of-another-model",
  );
  await refused(() => load(fixture("models/mixtral")).profile(), "no-data");
  await refused(() => load(tmpdir()), "no-checkpoint");
});

test("a corrupted bundled file is refused by name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moelab-"));
  await cp(fixture("models/switch_transformers"), folder, { recursive: true });
  const file = join(folder, "model.safetensors");
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length - 1000));
  await refused(() => load(folder), "safetensors", "model.safetensors");
  bytes.write("{{{{", 8);
  await writeFile(file, bytes);
  await refused(() => load(folder), "safetensors");
  await rm(folder, { recursive: true });
});

test("stages in an order that makes no sense do not compile", () => {
  const never = () => {
    // @ts-expect-error a method needs a profile
    load("x").merge({ method: "m-smoe", keep: 2 });
    // @ts-expect-error nothing to forecast yet
    load("x").forecast();
    // @ts-expect-error there is no data to measure the changed model on
    load("x").apply(undefined as never).merge({ method: "m-smoe", keep: 2 });
    // @ts-expect-error a count or a share
    load("x").profile().merge({ method: "m-smoe", keep: "a quarter" });
    // @ts-expect-error keep has to be said
    load("x").profile().merge({ method: "m-smoe" });
    // @ts-expect-error one of the words of this method
    load("x").profile().prune({ method: "reap", keep: 2, criterion: "loudest" });
    // @ts-expect-error no option of this method
    load("x").profile().prune({ method: "reap", keep: 2, seed: 1 });
    // @ts-expect-error plan checks as well
    load("x").profile().plan({ method: "svd", rank: "two" });
    load("x").profile().merge({ method: "a method of mine", whatever: "it takes" });
    load("x").profile().compare([{ arm: "a", method: "m-smoe", keep: 2 }, { arm: "b", method: "svd", rank: 2 }, {
      arm: "c",
      method: "a method of mine",
      whatever: "it takes",
    }]);
    // @ts-expect-error arms check the options of their methods
    load("x").profile().compare([{ arm: "a", method: "m-smoe", keep: 2 }, { arm: "b", method: "svd", rank: "two" }]);
    // @ts-expect-error an arm has a name
    load("x").profile().compare([{ method: "m-smoe", keep: 2 }]);
    load("x").evaluate({ task: ["pron", "a task of mine"] });
    // @ts-expect-error a task is a name
    load("x").evaluate({ task: 7 });
    // @ts-expect-error a plan has to be carried out first
    load("x").profile().plan({ method: "m-smoe", keep: 2 }).evaluate();
    moe.load("x").profile().plan({ method: "m-smoe", keep: 2 }).apply().distill().evaluate();
  };
  assert.type(never, "function");
});

test.run();
