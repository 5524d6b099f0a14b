import { test } from "uvu";
import * as assert from "uvu/assert";
import { arms } from "../../data/studies/mc-smoe/recipe.js";
import { judgeClaims, type StudyClaim, type StudyEntry, studyMeans,
  studyResults } from "../../sdk/evaluate/study-results.js";
import { claimFamilies } from "../../sdk/experiment/judge.js";
import { findStudy } from "../../sdk/experiment/study-file.js";

function entry(run: string, arm: string, kl: number, more: Partial<StudyEntry> = {}): StudyEntry {
  return { run, regime: "scratch", task: "pron", arm, keep: 4, stage: "recovered", metrics: { kl: { value: kl } },
    about: {}, ...more };
}

test("draws of one teacher are averaged before teachers are", () => {
  const [one] = studyMeans([entry("a", "m-smoe", 1), entry("a", "m-smoe", 3), entry("b", "m-smoe", 6)]);
  assert.is(one.n, 2);
  assert.is(one.metrics.kl.mean, 4);
  assert.is(one.metrics.kl.stderr, 2);
});

test("claims are judged paired by teacher, and left out where arms share fewer than two", () => {
  const entries = ["a", "b", "c", "d"].flatMap((
    run,
    at,
  ) => [entry(run, "m-smoe", 0.1 + 0.01 * at), entry(run, "averaging", 0.2 + 0.021 * at)]);
  const claim: StudyClaim = { arm: "m-smoe", against: "averaging", keep: 4, stage: "recovered", metric: "kl",
    side: "lower", scale: "log2-ratio" };
  const [judged, ...rest] = judgeClaims([...entries, entry("a", "reap", 1)], [claim, { ...claim, against: "reap" }, {
    ...claim,
    against: "naee",
  }]);
  assert.is(rest.length, 0);
  assert.is(judged.n, 4);
  assert.is(judged.verdict, "reproduced");
  assert.is(judgeClaims(entries, [{ ...claim, side: "higher" }])[0].verdict, "refuted");
  assert.is(judgeClaims(entries, [{ ...claim, stage: "changed" }]).length, 0);
});

test("the committed study of MC-SMoE can be read", async () => {
  const { entries, runs } = await studyResults("mc-smoe");
  assert.ok(runs.length > 0);
  for (const { metrics } of entries) for (const { value } of Object.values(metrics)) assert.ok(Number.isFinite(value));
});

test("its claims name arms that the study runs, at that ratio and stage", () => {
  const runs = (name: string, keep: number, stage: string) =>
    arms.some((arm) => arm.name === name && (stage === "recovered" ? arm.recover?.keep : arm.keep)?.includes(keep));
  for (const { claims } of claimFamilies(findStudy("mc-smoe").file).values()) {
    for (const { arm, against, keep, againstKeep = keep, stage } of claims) {
      if (stage === "usage") continue; // kinds of tasks, see usageEntries
      assert.ok(runs(arm, keep, stage), `${arm} ${keep} ${stage}`);
      assert.ok(runs(against, againstKeep, stage), `${against} ${againstKeep} ${stage}`);
    }
  }
});

test.run();
