import { test } from "uvu";
import * as assert from "uvu/assert";
import { type VerdictCell, verdictGrid, verdictGridSpec } from "../../../sdk/view/charts/verdict-grid.js";

const cell: VerdictCell = { claim: "a better than b", measure: "points", regime: "scratch", difference: 1.234, low: 0.9,
  high: 1.57, verdict: "reproduced" };
const cells = [cell, { ...cell, regime: "upcycled", difference: -0.2, low: -0.5, high: 0.1, verdict: "not resolved" }, {
  ...cell,
  claim: "b better than c",
  low: -Infinity,
  high: Infinity,
  verdict: "refuted",
}] as VerdictCell[];

test("claims down, measures and regimes across, a sign and an interval in each cell", () => {
  const { values } = verdictGridSpec(cells).data as { values: Record<string, string>[] };
  assert.equal(values.map(({ label, column }) => [label, column]), [["a better than b", "points\nscratch"], [
    "a better than b",
    "points\nupcycled",
  ], ["b better than c", "points\nscratch"]]);
  assert.equal(values.map(({ mean }) => mean.slice(0, 3)), ["✓ +", "· −", "✗ +"]);
  assert.is(values[1].interval, "−0.50 to +0.10");
  assert.is(values[2].interval, "one unit alone");
});

test("says in words what it shows, and is drawn", async () => {
  const chart = verdictGrid(cells);
  assert.is(chart.finding, "Of 2 claims in 3 cells: 1 reproduced, 1 not resolved, 1 refuted.");
  assert.match(await chart.toSvg(), "a better than b");
});

test.run();
