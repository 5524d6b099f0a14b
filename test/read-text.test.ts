import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { specFromConfig } from "../sdk/checkpoint/family.js";
import { readConfig } from "../sdk/checkpoint/read-config.js";
import { readReport } from "../sdk/evaluate/report-file.js";
import { loadPlan } from "../sdk/plan/plan-file.js";
import { loadTokenizer } from "../sdk/text/tokenizer.js";
import { rejects } from "./support/rejects.js";

const test = suite("special files");
const readers: [string, string, (folder: string, file: string) => Promise<unknown>][] = [["config", "config.json",
  (folder) => readConfig(folder)], ["plan", "plan.json", (_, file) => loadPlan(file)], ["report", "report.json",
  (_, file) => readReport(file)], ["tokenizer", "tokenizer.json", (folder) => loadTokenizer(folder)]];

for (const [name, file, read] of readers) {
  test(`a ${name} that is a pipe, a device or a folder is refused at once`, async () => {
    for (const make of [(path: string) => execFileSync("mkfifo", [path]), (path: string) =>
      symlinkSync("/dev/zero", path), (path: string) => mkdirSync(path)]) {
      const folder = mkdtempSync(join(tmpdir(), "moelab-special-"));
      try {
        make(join(folder, file));
        assert.is((await rejects(read(folder, join(folder, file)))).code, "not-readable");
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });
}

test("a family's expression that calls itself for ever ends with an error", async () => {
  const family = { family: "x", modelTypes: ["x"], names: {}, spec: {},
    let: { bad: "=($f := function($n){$f($n+1)}; $f(1))" } };
  assert.match((await rejects(specFromConfig({}, family))).message, /more than 100000 steps/);
  family.let.bad = "=($f := function($n){1 + $f($n+1)}; $f(1))";
  await rejects(specFromConfig({}, family));
});

test.run();
