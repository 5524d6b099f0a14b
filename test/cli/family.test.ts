import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../../sdk/cli/family.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

async function check(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => void lines.push(line);
  try {
    await command.parseAsync(["check", ...args], { from: "user" });
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

test("a bundled family explains its fixture", async () => {
  const text = await check(fixture("models/gpt2"));
  assert.match(text, /parameters/);
  assert.match(text, /names and shapes agree; 2 tensors are copies or not run: h\.0\.attn\.bias/);
});

test("a user's family file is tried, and a wrong name in it is told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-family-"));
  const file = join(folder, "own.json");
  try {
    writeFileSync(file,
      JSON.stringify({ family: "own", modelTypes: ["own"], extends: "mixtral",
        names: { finalNorm: "model.last_norm.weight" } }));
    assert.match((await rejects(check(fixture("models/mixtral"), "--family", file))).message,
      /model\.last_norm\.weight/);
    writeFileSync(file, JSON.stringify({ family: "own", modelTypes: ["own"], extends: "mixtral" }));
    assert.match(await check(fixture("models/mixtral"), "--family", file), /family +own/);
    writeFileSync(file, JSON.stringify({ family: "own" }));
    assert.match((await rejects(check(fixture("models/mixtral"), "--family", file))).message, /modelTypes/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
