import { test } from "uvu";
import * as assert from "uvu/assert";
import { judgeClaims, type StudyResults, studyResults } from "../../sdk/evaluate/study-results.js";
import { usageEntries } from "../../sdk/evaluate/usage-entries.js";
import { claimFamilies } from "../../sdk/experiment/judge.js";
import { findStudy } from "../../sdk/experiment/study-file.js";

function run(name: string, usage: Record<string, number[]>): StudyResults["runs"][number] {
  return { run: name, regime: "scratch", date: new Date(0), machine: "", engine: "", command: "", seconds: 0,
    measurements: { usage } };
}

const usageClaims = claimFamilies(findStudy("mc-smoe").file).get("usage, by experts in effect")!.claims;
const kinds = { pron: "generation", kind: "selection" };

test("experts in effect are a mean over the layers of a side; runs of one model and number are paired", () => {
  const [one, ...rest] = usageEntries([
    run("scratch-1.pron-2", { "encoder.layers.1": [1, 0, 0, 0], "layers.1": [0.25, 0.25, 0.25, 0.25],
      "layers.3": [0.5, 0.5, 0, 0] }),
    run("latency", {}),
    run("scratch-1.other-2", { "layers.1": [1] }),
  ], kinds);
  assert.is(rest.length, 0);
  assert.equal([one.run, one.arm, one.keep], ["scratch-1-2", "generation", 4]);
  assert.is(one.metrics.experts_in_effect_decoder.value, 3);
  assert.is(one.metrics.experts_in_effect_encoder.value, 1);
});

test("the claim on usage is judged by teachers, whichever way usage goes", async () => {
  const [claim] = usageClaims;
  const narrow = [0.97, 0.01, 0.01, 0.01], wide = [0.25, 0.25, 0.25, 0.25];
  const runs = (pron: number[], kind: number[]) =>
    [1, 2, 3].flatMap((number) => [run(`scratch-1.pron-${number}`, { "layers.1": pron.map((share, e) =>
      share + (e === 0 ? 1 : -1 / 3) * 0.001 * number
    ) }), run(`scratch-1.kind-${number}`, { "layers.1": kind })]);
  const judge = (pron: number[], kind: number[]) =>
    judgeClaims(usageEntries(runs(pron, kind), kinds).map((entry) => ({ ...entry, keep: claim.keep })), [claim])[0]
      .verdict;
  assert.is(judge(wide, narrow), "reproduced");
  assert.is(judge(narrow, wide), "refuted");
});

test("the committed label tasks hold usage of teachers that the generative task has too", async () => {
  const { runs } = await studyResults("mc-smoe");
  const entries = usageEntries(runs, { pron: "generation", century: "selection", kind: "selection",
    name: "selection" });
  const [claim] = judgeClaims(entries, usageClaims);
  assert.ok(claim.n >= 2);
});

test.run();
