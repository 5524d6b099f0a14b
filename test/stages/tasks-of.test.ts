import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/index.js";
import { tasksOf } from "../../sdk/stages/tasks-of.js";
import { rejects } from "../support/rejects.js";

const test = suite("tasks-of");
const root = mkdtempSync(join(tmpdir(), "moelab-tasks-"));
test.after(() => rmSync(root, { recursive: true }));

test("a saved model is scored on the tasks of the one that it was", async () => {
  const out = join(root, "out");
  const study = await moe.load("nano-switch-pron").evaluate({ items: 8 });
  await moe.from(study).save(out);
  const again = await moe.load(out).evaluate({ items: 8 });
  assert.equal(again.evaluation!.after.scores.map(({ task }) => task), ["pron"]);
  assert.equal(again.evaluation!.after.scores, study.evaluation!.after.scores);
});

test("the last training says the tasks, then the record of the folder", async () => {
  const step = (stage: string, options: object) => ({ stage, options: { ...options }, timeMs: 1 });
  assert.equal(
    await tasksOf(join(root, "out"), [step("train", { task: "spell" }), step("distill", { task: ["a", "b"] }),
      step("evaluate", { task: "c" })]),
    ["a", "b"],
  );
  assert.equal(await tasksOf(join(root, "out"), [step("train", {})]), ["pron"]);
  assert.equal(await tasksOf(""), []);
  assert.equal(await tasksOf(root), []);
});

test("a record that was damaged is said", async () => {
  for (const text of ["{", "{\"tasks\":7}", "{\"tasks\":[7]}", "[".repeat(1000)]) {
    writeFileSync(join(root, "moelab.json"), text);
    const error = await rejects(tasksOf(root));
    assert.is(error.code, "bad-record");
    assert.match(error.message, /moelab\.json .*say \{ task \}/);
  }
});

test.run();
