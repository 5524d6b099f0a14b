import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readReport, type TaskResult } from "../../sdk/evaluate/index.js";
import type { Experiment, Job, Unit } from "../../sdk/experiment/experiment.js";
import { runUnit } from "../../sdk/experiment/run-unit.js";
import { ready } from "../../sdk/tensor/index.js";

test.before(() => ready().then(() => {}));

const result = (task: string, value: number): TaskResult => ({ task, n: 10, metrics: [{ metric: "em", value }],
  config: { task: "t", arm: task, keep: 1, stage: "changed" } });

/** Two jobs of two keys; counts what is prepared, made and put away. */
function counted(stopAt?: string): { experiment: Experiment; made: string[]; beds: number[] } {
  const made: string[] = [], beds = [0, 0];
  return { made, beds, experiment: {
    name: "counted",
    units: [{ name: "u-1", regime: "r" }],
    jobs:
      () => [{ name: "a", keys: ["a 1", "a 2"] }, { name: "b", keys: ["b 1"] }, { name: "c", keys: ["c 1"],
        waits: "there is no c" }],
    async prepare() {
      beds[0]++;
      return { model: { id: "m", fingerprint: "f" }, measure: async () => ({ spread: { x: 2 } }),
        dispose: async () => void beds[1]++, async run({ name }: Job, missing: readonly string[]) {
        if (name === stopAt) throw new Error("cut off");
        made.push(...missing);
        return missing.map((key, at) => result(key, at));
      } };
    },
  } };
}

test("results are written after each job, and an interrupted unit goes on where it was", async () => {
  const folder = mkdtempSync(join(tmpdir(), "unit-"));
  const unit: Unit = { name: "u-1", regime: "r" };
  const options = { folder, command: "again" };
  const first = counted("b");
  await runUnit(first.experiment, unit, options).then(() => assert.unreachable(),
    (error) => assert.is(error.message, "cut off"));
  assert.equal(first.beds, [1, 1]);
  assert.equal(Object.keys((await readReport(join(folder, "u-1.json"))).results), ["a 1", "a 2"]);

  const second = counted();
  const progress: [number, number][] = [], waiting: string[] = [];
  await runUnit(second.experiment, unit, { ...options, onProgress: ({ done, of }) => progress.push([done, of]),
    onWaiting: ({ name, waits }) => waiting.push(`${name}: ${waits}`) });
  assert.equal(second.made, ["b 1"]);
  assert.equal(progress, [[1, 1]]);
  assert.equal(waiting, ["c: there is no c"]);
  const report = await readReport(join(folder, "u-1.json"));
  assert.equal(Object.keys(report.results), ["a 1", "a 2", "b 1"]);
  assert.equal(report.measurements, { spread: { x: 2 } });
  assert.is((report.moelab as { command: string }).command, "again");
  assert.is(report.config!.regime, "r");

  const third = counted();
  await runUnit(third.experiment, unit, options);
  assert.equal(third.beds, [0, 0], "what is complete is not prepared");
});

test.run();
