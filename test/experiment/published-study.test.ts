import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/index.js";
import { DISPLAY } from "../../sdk/view/displayable.js";

test("the study of MC-SMoE draws itself: verdicts, tables, frontier, runs, sizes", async () => {
  const study = await moe.study("mc-smoe");
  const chart = study.verdicts();
  assert.match(chart.finding, /^Of 13 claims in 66 cells: \d+ reproduced/);
  assert.match(await chart.toSvg(), "M-SMoE better than Averaging");
  // the first line of the study's record in notebooks/LOG.md: M-SMoE against averaging, ten teachers of either regime
  const row = study.claims().toRecords().find(({ claim, measure, regime }) =>
    String(claim).includes("Averaging") && measure === "log2 KL ratio" && regime === "experts from scratch"
  )!;
  assert.match(String(row.difference), /^−1\.4[56] \[−1\.76, −1\.15\]$/);
  assert.is(row.n, 10);
  const beside = study.table("Table 2");
  assert.is(beside.tables.length, 2);
  assert.match(beside.toText(), "Table 2, as printed");
  assert.is(study.frontier().length, 2);
  assert.match(study.runs().toText(), "scratch-1.pron");
  assert.equal((await study.sizes()).toRecords().map((one) => one["parameters (million)"]), ["1978.5", "732.8", "380.7",
    "570.2"]);
  assert.match(String((await study[DISPLAY]()).data["text/plain"]), "what the paper claims");
  assert.is(study.measured("alignment_gain").length, 160);
});

test("what is not there is refused with the nearest name", async () => {
  const study = await moe.study("mc-smoe");
  assert.throws(() => study.table("Table 22"), /no table "Table 22".*Table 2/);
  assert.throws(() => study.verdicts("papre"), /no claims "papre".*paper/);
  assert.throws(() => study.forest("klx"), /no measure "klx".*kl/);
  await moe.study("mc-smo").then(() => assert.unreachable(), (error) => assert.match(error.message, "mc-smoe"));
});

test.run();
