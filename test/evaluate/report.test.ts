import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { provenance } from "../../sdk/evaluate/provenance.js";
import { readReport, writeReport } from "../../sdk/evaluate/report-file.js";
import { report, taskResult } from "../../sdk/evaluate/report.js";
import { itemScore, tokenScore } from "../../sdk/evaluate/score.js";
import { engineInfo, ready } from "../../sdk/tensor/index.js";
import { shared } from "../support/shared.js";

const folder = mkdtempSync(join(tmpdir(), "moelab-report-"));
const scores = [itemScore("exact_match", [1, 0, 1, 1]), tokenScore("kl", [0.2, 0.1, 0.4, 0.1], [4, 2, 4, 2])];

async function sample() {
  await ready({ backend: "cpu" });
  const about = provenance({ model: { id: "nano-switch", fingerprint: "abc" }, data: "def", seed: 3,
    options: { keep: 0.25 }, command: "moelab run mc-smoe.ipynb" });
  return report([taskResult("spell-to-pronounce", scores, { available: 900, config: { part: "test" } })], {
    provenance: about,
  });
}

test("scores become a report with what is needed to repeat it", async () => {
  const made = await sample();
  assert.equal(made.results["spell-to-pronounce"], { alias: "spell-to-pronounce", "exact_match,none": 0.75,
    "exact_match_stderr,none": 0.25, "kl,none": scores[1].value, "kl_stderr,none": scores[1].stderr });
  assert.equal(made["n-samples"], { "spell-to-pronounce": { original: 900, effective: 4 } });
  assert.equal(made.higher_is_better, { "spell-to-pronounce": { exact_match: true, kl: false } });
  assert.is(made.config!.random_seed, 3);
  assert.is(made.config!.keep, 0.25);
  const { fingerprints, version, backend, machine } = made.moelab as Record<string, any>;
  assert.equal(fingerprints, { model: "abc", data: "def" });
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.is(backend, engineInfo().backend);
  assert.ok(machine.length > 5);
  assert.ok(Math.abs(made.date! - Date.now() / 1000) < 60);
});

test("a report is read as it was written, and nothing else is left", async () => {
  const made = await sample();
  const path = join(folder, "deep", "report.json");
  await writeReport(path, made);
  await writeReport(path, made);
  assert.equal(await readReport(path), made);
  assert.equal(readdirSync(join(folder, "deep")), ["report.json"]);
});

test("a single item has no standard error", () => {
  const { metrics } = taskResult("one", [itemScore("exact_match", [1])]);
  assert.equal(metrics, [{ metric: "exact_match", value: 1 }]);
});

test("a report of lm-evaluation-harness is read", async () => {
  const path = shared("fixtures/oracles/lm-eval/results.json");
  if (path) assert.equal((await readReport(path)).results, JSON.parse(readFileSync(path, "utf8")).results);
});

test("a file that is not a report is refused with the place", async () => {
  const refused = async (content: string, message: RegExp) => {
    const path = join(folder, "bad.json");
    writeFileSync(path, content);
    await readReport(path).then(() => assert.unreachable(), (error) => assert.match(error.message, message));
  };
  const made = await sample();
  await refused("{", /not JSON/);
  await refused("[]", /has no "results"/);
  await refused(JSON.stringify({ ...made, results: { a: { "acc,none": [1] } } }), /results\.a\.acc,none/);
  await refused(JSON.stringify({ ...made, results: { "spell-to-pronounce": { "acc,none": 1 } } }), /standard error/);
  await refused(JSON.stringify({ ...made, configs: {} }), /configuration/);
  await readReport(join(folder, "absent.json")).then(() => assert.unreachable(),
    (error) => assert.is(error.code, "no-report"));
});

test("groups and names are checked", async () => {
  const made = taskResult("spell", scores);
  const options = { provenance: {} as never };
  assert.throws(() => report([made, made], options), /stands for two results/);
  assert.throws(() => report([made], { ...options, groups: [{ name: "g", tasks: ["spel"], metrics: [] }] }),
    /Did you mean "spell"/);
  assert.throws(
    () => report([made], { ...options, groups: [{ name: "g", tasks: ["spell"], metrics: [{ metric: "acc" }] }] }),
    /which task spell lacks/,
  );
});

test.run();
