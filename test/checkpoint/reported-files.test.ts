import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configText, withoutBareWords } from "../../sdk/checkpoint/config-text.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { moe } from "../../sdk/index.js";
import { logitsAsReported } from "../support/altered-fixture.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

test("config-infinity of the reports: read, and written again as it was", async () => {
  const opened = await openModel(fixture("reports/config-infinity"));
  await logitsAsReported("config-infinity", opened);
  await opened.model.dispose();
  const text = "{\"a\": [0.0, Infinity, -Infinity], \"b\": \"Infinity NaN\", \"c\": NaN}";
  const read = JSON.parse(withoutBareWords(text)) as Record<string, unknown>;
  assert.equal(read, { a: [0, Infinity, -Infinity], b: "Infinity NaN", c: null });
  const written = configText(read, text);
  assert.match(written, /0\.0,\s*Infinity,\s*-Infinity/);
  assert.match(written, /"b": "Infinity NaN"/);
});

test("quant-fp8-channel of the reports: a scale per row is read", async () => {
  const opened = await openModel(fixture("reports/quant-fp8-channel"));
  await logitsAsReported("quant-fp8-channel", opened);
  await opened.model.dispose();
});

test("scales of a name that nobody knows are named, whatever a family file calls unused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-fp8-"));
  try {
    cpSync(fixture("reports/quant-fp8-channel"), folder, { recursive: true });
    const weights = join(folder, "model.safetensors"), family = join(folder, "family.json");
    writeFileSync(weights, readFileSync(weights, "latin1").replaceAll(".weight_scale\"", ".weight_scalf\""), "latin1");
    const { model_type: type } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    writeFileSync(family,
      JSON.stringify({ family: "own", modelTypes: [type], extends: type, spec: {}, names: {}, unused: [".*_scalf"] }));
    const error = await rejects(moe.load(folder, { family }) as unknown as Promise<unknown>);
    assert.match(error.message, /is F8_E4M3 \[.*weight_scalf/);
    assert.not.match(error.message, /name them under/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a family file of one's own is loaded and inspected by", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-family-"));
  try {
    cpSync(fixture("models/mixtral"), folder, { recursive: true });
    const config = join(folder, "config.json"), family = join(folder, "family.json");
    writeFileSync(config, readFileSync(config, "utf8").replace("\"mixtral\"", "\"mine\""));
    writeFileSync(family, JSON.stringify({ family: "mine", modelTypes: ["mine"], extends: "mixtral" }));
    await rejects(moe.load(folder) as unknown as Promise<unknown>);
    const study = await moe.load(folder, { family });
    assert.is(study.model.spec.family, "mine");
    assert.is((await moe.inspect(folder, { family })).problem, undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
