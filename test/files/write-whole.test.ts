import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync,
  writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeWhole } from "../../sdk/files/write-whole.js";
import { savePlan } from "../../sdk/plan/plan-file.js";
import { rejects } from "../support/rejects.js";

const test = suite("write-whole");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-whole-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => writeWhole(join(folder, name), text, { verb: "test", replaces: "ours" });
const read = (name: string) => readFileSync(join(folder, name), "utf8");

test("a new file is written, one of ours and an empty one are replaced, another one stays", async () => {
  await write("a", "ours 1");
  await write("a", "ours 2");
  assert.is(read("a"), "ours 2");
  writeFileSync(join(folder, "empty"), "");
  await write("empty", "ours");
  writeFileSync(join(folder, "thesis.tex"), "mine");
  const error = await rejects(write("thesis.tex", "ours"));
  assert.is(error.code, "not-ours");
  assert.is(read("thesis.tex"), "mine");
  assert.equal(readdirSync(folder).sort(), ["a", "empty", "thesis.tex"]);
});

test("a link stays a link; a folder, and a place that is not there, say so", async () => {
  writeFileSync(join(folder, "real"), "ours");
  symlinkSync("real", join(folder, "link"));
  await write("link", "ours 2");
  assert.ok(lstatSync(join(folder, "link")).isSymbolicLink());
  assert.is(read("real"), "ours 2");
  mkdirSync(join(folder, "dir"));
  assert.match((await rejects(write("dir", "ours"))).message, /cannot be written \(EISDIR: it is a folder\)/);
  assert.is((await rejects(write("none/a", "ours"))).code, "cannot-write");
  assert.equal(readdirSync(folder).sort(), ["dir", "link", "real"]);
});

test("a plan replaces a plan, and nothing else", async () => {
  const path = join(folder, "plan.json"),
    plan = { version: 1, for: "x", method: "m", options: {}, layers: {} } as never;
  await savePlan(path, plan);
  await savePlan(path, plan);
  writeFileSync(path, "{\"my\": \"data\"}");
  assert.is((await rejects(savePlan(path, plan))).code, "not-ours");
  assert.is(readFileSync(path, "utf8"), "{\"my\": \"data\"}");
});

test.run();
