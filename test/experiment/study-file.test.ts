import { readdirSync } from "node:fs";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printedPaper, printedTable, readReport } from "../../sdk/evaluate/index.js";
import { chainExperiment } from "../../sdk/experiment/chain-experiment.js";
import { claimFamilies } from "../../sdk/experiment/judge.js";
import { findStudy, studySlugs } from "../../sdk/experiment/study-file.js";

test("an unknown study is named with what there is", () => {
  assert.throws(() => findStudy("mc-smo"), /no study "mc-smo".*"mc-smoe"/);
  assert.throws(() => findStudy("../../etc"), /no study/);
});

test("a slip in a recipe is said with its place", () => {
  const path = join(mkdtempSync(join(tmpdir(), "study-")), "own.json");
  const write = (more: object) =>
    writeFileSync(path, JSON.stringify({ about: "x", measures: {}, claims: {}, units: { seed: [1] }, ...more }));
  write({ arms: [{ arm: "a", keep: [1], chain: [{ merg: {} }] }] });
  assert.throws(() => findStudy(path), /arms\.0\.chain\.0/);
  write({ arms: [{ arm: "a", keep: [], chain: [] }] });
  assert.throws(() => findStudy(path), /arms\.0\.keep/);
  write({ arms: [{ arm: "a", keep: [1], chain: ["tuned"] }] });
  assert.is(findStudy(path).results, "results/own");
  writeFileSync(path, "{");
  assert.throws(() => findStudy(path), /is not JSON/);
});

test("every claim of a study's paper has a verdict's way: a test, a count, or the reason why there is none", () => {
  for (const slug of studySlugs()) {
    const { file } = findStudy(slug);
    const texts = [...claimFamilies(file).values()].flatMap(({ claims }) => claims.map(({ text }) => text));
    if (file.paperClaims.length > 0)
      assert.equal([...new Set(file.paperClaims.map(({ claim }) => claim))].sort((a, b) => a - b),
        printedPaper(file.paper!).claims.map((_, at) => at + 1), slug);
    for (const own of file.paperClaims) {
      if ("test" in own) assert.ok(texts.includes(own.test), `${slug}: ${own.test}`);
      if ("size" in own) { for (const size of [own.size].flat()) assert.ok(size in file.sizes!.models, size); }
    }
    for (const { printed } of Object.values(file.tables)) for (const name of printed) printedTable(file.paper!, name);
  }
});

test("recipes: claims name arms, ratios and stages that are run, and the committed units are complete", async () => {
  for (const slug of studySlugs().filter((one) => findStudy(one).file.arms)) {
    const { file, results } = findStudy(slug);
    const experiment = chainExperiment(slug, file, { models: "" });
    const keys = experiment.units.flatMap((unit) => experiment.jobs(unit).flatMap((job) => job.keys));
    for (const { claims } of claimFamilies(file).values())
      for (const { arm, against, keep, againstKeep = keep, stage } of claims)
        for (const wanted of [`${arm} ${keep} ${stage}`, `${against} ${againstKeep} ${stage}`])
          assert.ok(keys.some((key) => key.endsWith(` ${wanted}`)), `${slug}: ${wanted}`);
    assert.equal(readdirSync(results).sort(), experiment.units.map(({ name }) => `${name}.json`).sort(), slug);
    for (const unit of experiment.units)
      assert.equal(Object.keys((await readReport(join(results, `${unit.name}.json`))).results).sort(),
        experiment.jobs(unit).flatMap((job) => job.keys).sort(), unit.name);
  }
});

test.run();
