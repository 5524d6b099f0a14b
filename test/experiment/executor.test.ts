import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { processes, thisProcess } from "../../sdk/experiment/executor.js";

test("this process runs units in their order", async () => {
  const ran: string[] = [];
  await thisProcess.run(["a", "b"], { here: async (unit) => void ran.push(unit), command: () => [] });
  assert.equal(ran, ["a", "b"]);
});

test("processes run every unit once, and name those that failed when all have ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "executor-"));
  const command =
    (unit: string) => ["-e",
      `require("fs").writeFileSync(${JSON.stringify(join(folder, unit))}, "", { flag: "wx" });`
      + `process.exit(${unit === "b" ? 1 : 0})`];
  const here = () => Promise.reject(new Error("not here"));
  await processes(2).run(["a", "b", "c", "d"], { here, command }).then(() => assert.unreachable(),
    (error) => assert.match(error.message, "study run: b ended with an error"));
  assert.equal(readdirSync(folder).sort(), ["a", "b", "c", "d"]);
});

test.run();
