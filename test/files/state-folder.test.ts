import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { StateFolder } from "../../sdk/files/state-folder.js";
import { rejects } from "../support/rejects.js";

const test = suite("state-folder");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-state-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

const schema = v.object({ at: v.pipe(v.number(), v.integer(), v.minValue(0)) });
const open = (key: unknown = "run") => StateFolder.open(folder, { verb: "test", kind: "job", key, schema });
const text = (content: string) => (path: string) => writeFile(path, content);
const visible = () => readdirSync(folder).sort();
const INDEX = "moelab-job.json";

test("a state is found again, the files of the one before are gone, everything else stays", async () => {
  mkdirSync(`${folder}/chapters`);
  for (const name of ["thesis.tex", "moelab-job.txt", "moelab-job.notes.txt", "chapters/1.tex"])
    writeFileSync(join(folder, name), "mine");
  const first = await open();
  assert.is(first.data, undefined);
  await first.replace({ at: 1 }, { "a.txt": text("one"), "b.txt": text("kept") });
  await first.replace({ at: 2 }, { "a.txt": text("two"), "b.txt": true });
  await first.close();
  const again = await open();
  assert.equal(again.data, { at: 2 });
  assert.is(readFileSync(again.file("a.txt")!, "utf8"), "two");
  assert.is(readFileSync(again.file("b.txt")!, "utf8"), "kept");
  await again.close();
  assert.is(visible().length, 4 + 3);
  for (const name of ["thesis.tex", "moelab-job.txt", "moelab-job.notes.txt", "chapters/1.tex"])
    assert.is(readFileSync(join(folder, name), "utf8"), "mine");
});

test("a write that fails leaves the state before, and nothing else", async () => {
  const state = await open();
  await state.replace({ at: 1 }, { "a.txt": text("one") });
  const before = visible();
  await rejects(state.replace({ at: 2 }, { "a.txt": text("two"), "b.txt": () => Promise.reject(new Error("no")) }));
  assert.equal(visible(), before);
  assert.equal(state.data, { at: 1 });
  await state.close();
});

test("a state of another run, a changed one and one that lacks a file are refused and stay", async () => {
  const state = await open();
  await state.replace({ at: 1 }, { "a.txt": text("one") });
  const file = state.file("a.txt")!;
  await state.close();
  assert.is((await rejects(open("other"))).code, "state-of-another-run");
  const [index, whole] = [join(folder, INDEX), readFileSync(join(folder, INDEX), "utf8")];
  for (const bad of [whole.replace("\"at\":1", "\"at\":2"), whole.replace("\"at\":1", "\"at\":-1"), "", "{", "[]",
    whole.replace(/moelab-job\.[^"]+/, "../../x")]) {
    writeFileSync(index, bad);
    assert.is((await rejects(open())).code, "bad-state", bad);
    assert.is(readFileSync(index, "utf8"), bad);
  }
  writeFileSync(index, whole);
  writeFileSync(file, "One");
  assert.match((await rejects(open())).message, /is missing, or was changed after it was written/);
  rmSync(file);
  assert.is((await rejects(open())).code, "bad-state");
});

test("a file of the user's under the name of ours is neither read nor replaced", async () => {
  writeFileSync(join(folder, INDEX), "my notes");
  assert.is((await rejects(open())).code, "bad-state");
  assert.is(readFileSync(join(folder, INDEX), "utf8"), "my notes");
});

test("one at a time has it open", async () => {
  const state = await open();
  assert.is((await rejects(open())).code, "being-written");
  await state.close();
  await (await open()).close();
});

test.run();
