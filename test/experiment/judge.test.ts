import { test } from "uvu";
import * as assert from "uvu/assert";
import type { StudyEntry, StudyResults } from "../../sdk/evaluate/index.js";
import { claimFamilies, judgeStudy, together } from "../../sdk/experiment/judge.js";
import { paperVerdicts } from "../../sdk/experiment/paper-verdicts.js";
import { findStudy, type StudyFile } from "../../sdk/experiment/study-file.js";

const measures: StudyFile["measures"] = { em: { by: "exact match", better: "higher", factor: 100, unit: "points" },
  kl: { by: "KL", better: "lower", scale: "log2-ratio", factor: 1, unit: "log2" } };
const claim = { text: "a better than b", arm: "a", against: "b", keep: 4, stage: "tuned", by: ["em", "kl"] };

function study(more: Partial<StudyFile>): StudyFile {
  return { about: "", let: {}, models: {}, evaluate: {}, regimes: {}, modelsAgree: false, measures, paperClaims: [],
    tables: {}, claims: { paper: [claim] }, ...more };
}

function results(units: string[], gains: Record<string, number>): StudyResults {
  const entry = (run: string, arm: string, em: number, kl: number): StudyEntry => ({ run, regime: run.split(/[.-]/)[0],
    task: "t", arm, keep: 4, stage: "tuned", metrics: { em: { value: em }, kl: { value: kl } }, about: {} });
  return { runs: [], entries: units.flatMap((run, at) => {
    const gain = gains[run.split(/[.-]/)[0]] + 0.001 * at;
    return [entry(run, "a", 0.5 + gain, 0.2 - gain), entry(run, "b", 0.5, 0.2)];
  }) };
}

test("a claim is a family for each measure, on the measure's better side, or the worse one if it says so", () => {
  const families = claimFamilies(
    study({ claims: { paper: [claim], rest: { task: "u", claims: [{ ...claim, by: ["kl"], worse: true }] } } }),
  );
  assert.equal([...families.keys()], ["paper, by exact match", "paper, by KL", "rest, by KL"]);
  assert.is(families.get("paper, by KL")!.claims[0].side, "lower");
  assert.is(families.get("rest, by KL")!.claims[0].side, "higher");
  assert.is(families.get("rest, by KL")!.task, "u");
});

test("regimes are judged apart; a seed's tasks are averaged where a recipe has several", () => {
  const units = [1, 2, 3, 4].flatMap((seed) => [`x-${seed}`, `y-${seed}`]);
  const apart = judgeStudy(study({}), results(units, { x: 0.1, y: -0.1 }));
  assert.equal(apart.filter(({ metric }) => metric === "em").map(({ regime, verdict, n }) => [regime, verdict, n]), [[
    "x",
    "reproduced",
    4,
  ], ["y", "refuted", 4]]);
  const pooled = judgeStudy(study({ units: { task: ["x", "y"], seed: [1, 2, 3, 4] } }),
    results(units, { x: 0.1, y: -0.04 }));
  const [all] = pooled;
  assert.equal([all.regime, all.n, all.verdict], ["all tasks", 4, "reproduced"]);
  assert.ok(Math.abs(all.mean - (0.03 + 0.0035)) < 1e-9);
});

test("each model's mean stands beside; where models must agree and do not, nothing is resolved", () => {
  const units = [1, 2, 3].flatMap((number) => [`s-1.t-${number}`, `s-2.t-${number}`]);
  const mixed = results(units, { s: 0.1 });
  for (const entry of mixed.entries)
    if (entry.run.startsWith("s-2") && entry.arm === "a") entry.metrics.em.value = 0.49;
  const [cell] = judgeStudy(study({ modelsAgree: true }), mixed);
  assert.is(cell.models.length, 2);
  assert.ok(cell.models[0] > 0 && cell.models[1] < 0);
  assert.is(cell.verdict, "not resolved");
});

test("the paper's claims: by a test, its contrary, a count, a reason", async () => {
  const own = study({ paper: "meo", sizes: findStudy("meo").file.sizes,
    paperClaims: [{ claim: 1, size: "MoE, 4 of 8", read: "flops.total", per: 1e9, within: 0.02 }, { claim: 2,
      size: "MEO, 4 of 8", read: "flops.total", per: 1e9, within: 1e-6 }, { claim: 3, test: "a better than b" }, {
      claim: 4,
      test: "a better than b",
      contrary: true,
    }, { claim: 4, untestable: "no GLUE" }] });
  const rows = await paperVerdicts(own, judgeStudy(own, results(["x-1", "x-2", "x-3"], { x: 0.1 })));
  assert.equal(rows.map(({ verdict }) => verdict), ["reproduced", "refuted", "reproduced", "refuted",
    "cannot be tested at this size"]);
  // the abstract prints 72.0 and 28.6
  assert.match(rows[0].by, "71.8 GFLOPs");
  assert.match(rows[1].by, "28.8 GFLOPs");
  assert.is(rows[4].by, "no GLUE");
});

test("verdicts together: one word where all say it, mixed where they contradict", () => {
  assert.is(together(["refuted", "refuted"]), "refuted");
  assert.is(together(["reproduced", "not resolved"]), "not resolved");
  assert.is(together(["reproduced", "refuted", "not resolved"]), "mixed");
});

test.run();
