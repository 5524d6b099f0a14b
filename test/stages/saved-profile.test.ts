import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/moe.js";
import { load } from "../../sdk/pipeline.js";
import type { Study } from "../../sdk/stages/study.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("a profile that is saved and loaded");
const folder = mkdtempSync(join(tmpdir(), "moelab-saved-profile-"));
test.after(() => rmSync(folder, { recursive: true }));

const mixtral = () => load(fixture("models/mixtral"));
const data = [{ ids: [[4, 5, 6, 7], [9, 8, 3, 21]], labels: [[5, 6, 7, 8], [8, 3, 21, 4]] }];
const done = async (chain: PromiseLike<Study>) => chain;
const path = (name: string) => join(folder, name);

test("gives the plan that it gave before it was saved, from its file and as an object", async () => {
  const study = await mixtral().profile({ data });
  await study.saveProfile(path("p.json"));
  assert.equal(await moe.loadProfile(path("p.json")), study.profile);
  const expected = await moe.from(study).plan({ method: "m-smoe", keep: 2 });
  for (const from of [path("p.json"), study.profile!]) {
    const loaded = await mixtral().profile({ from }).plan({ method: "m-smoe", keep: 2 });
    assert.equal({ ...loaded.plan }, { ...expected.plan });
    assert.equal(loaded.warnings, study.warnings);
  }
  const { steps } = await mixtral().profile({ from: study.profile });
  assert.equal(steps.at(-1)!.options, { from: "given", data: "given given" });
});

test("what it lacks is measured on the same data, which has to be given again where it was the caller's", async () => {
  const from = path("p.json");
  const change = { method: "hc-smoe", keep: 2 } as const;
  const expected = await mixtral().profile({ data }).plan(change);
  assert.equal({ ...(await mixtral().profile({ from, data }).plan(change)).plan }, { ...expected.plan });
  assert.is((await rejects(done(mixtral().profile({ from }).plan(change)))).code, "data-missing");
  const other = [{ ...data[0], ids: [[4, 5, 6, 7], [9, 8, 3, 20]] }];
  assert.is((await rejects(done(mixtral().profile({ from, data: other })))).code, "data-of-another-profile");
});

test("items of a task are found again by what was asked for", async () => {
  const study = await load("nano-switch").profile({ items: 6, tokens: 300, statistics: ["usage"] });
  await study.saveProfile(path("task.json"));
  const from = await load("nano-switch").profile({ from: path("task.json") });
  assert.equal(from.state.calibration, study.state.calibration);
  for (const other of [{ items: 7 }, { tokens: 200 }, { seed: 3 }])
    assert.is((await rejects(done(load("nano-switch").profile({ from: path("task.json"), ...other })))).code,
      "data-of-another-profile");
});

test("another model's, none at all and one before measuring are refused", async () => {
  assert.is((await rejects(done(load(fixture("models/olmoe_bf16")).profile({ from: path("p.json") })))).code,
    "profile-of-another-model");
  assert.is((await rejects(done(mixtral().profile({ from: path("none.json") })))).code, "no-such-file");
  assert.is((await rejects(done(mixtral().profile({ from: { version: 1 } as never })))).code, "bad-profile");
  assert.is((await rejects((await mixtral()).saveProfile(path("none.json")))).code, "wrong-order");
  const { profile } = await mixtral().profile({ data });
  profile!.layers["layers.0"].gateMass = [NaN];
  const { saveProfile } = await import("../../sdk/profile/profile-file.js");
  assert.match((await rejects(saveProfile(path("none.json"), profile!))).message, /layers\.0\.gateMass holds NaN/);
  assert.not(readdirSync(folder).includes("none.json"));
});

test("damaged numbers are refused", async () => {
  const text = readFileSync(path("p.json"), "utf8");
  const counts = /"counts":\[(\d+)/;
  const count = Number(counts.exec(text)![1]);
  const nested = `${"[".repeat(2e5)}${"]".repeat(2e5)}`;
  for (const [damaged, why] of [[text.replace(counts, `"counts":[${count - 1 || count + 1}`),
    /changed after it was written/], [text.replace(counts, "\"counts\":[-1"),
    /counts\.0 is -1; accepted is at least 0/], [text.replace(counts, "\"counts\":[1e999"),
    /accepted is a finite number/], [text.replace(counts, "\"counts\":[900"),
    /layers\.0 saw 8 tokens, and expert 0 was chosen by 900/], [text.replace(counts, "\"counts\":[null"),
    /counts\.0 is null/], [text.replace(/"routerLogitCosine":\[\[1,/, "\"routerLogitCosine\":[[null,"),
    /routerLogitCosine holds null/], [text.replace(/"coactivation":\[\[/, "\"coactivation\":[[1,2],["),
    /coactivation is no matrix of/], [text.replace(/"gateMass":\[/, `"gateMass":[${nested},`),
    /changed after|cannot be read|call stack/], [text.slice(0, 400), /cannot be read as JSON/]] as const) {
    writeFileSync(path("bad.json"), damaged);
    const error = await rejects(moe.loadProfile(path("bad.json")));
    assert.is(error.code, "bad-profile");
    assert.match(error.message, why);
  }
});

test.run();
