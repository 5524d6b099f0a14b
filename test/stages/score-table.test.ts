import { suite } from "uvu";
import * as assert from "uvu/assert";
import { from, load } from "../../sdk/pipeline.js";
import type { NamedScore } from "../../sdk/stages/evaluation.js";
import { scoreTable } from "../../sdk/stages/score-table.js";
import { fixture } from "../support/shared.js";

const test = suite("scores by name");
const rows = [0, 1, 2, 3].map((row) => [4, 5, 6, 7, 8, 9].map((id) => 3 + ((id * 7 + row * 5) % 40)));
const text = [{ ids: rows.map((row) => row.slice(0, -1)), labels: rows.map((row) => row.slice(1)) }];
const answers = [{ ...text[0], labels: text[0].labels.map((row) => row.map((label, i) => (i < 3 ? -1 : label))) }];

test("running text is scored by its nats, a task by exact match; in table, chart and comparison alike", async () => {
  const profiled = await load(fixture("models/mixtral")).profile({ data: text });
  const { evaluation, ...study } = await from(profiled).evaluate({ data: text });
  assert.is(evaluation!.after.scores[0].headline, "nll");
  assert.ok(evaluation!.scores.given.nll.value > 1 && !evaluation!.scores.given.nll.higherIsBetter);
  assert.ok(evaluation!.scores.given.exact_match.higherIsBetter);
  assert.is(evaluation!.report.results.given["nll,none"], evaluation!.scores.given.nll.value);
  assert.not.match(String(study), "exact match");

  const comparison = await from(profiled).compare([{ arm: "a", method: "redirect", keep: 2 }, { arm: "b",
    method: "averaging", keep: 4 }], { data: text });
  assert.equal(comparison.table().columns, ["arm", "nll", "difference", "kl", "parameters", "size", "flops"]);
  const [full, a, b] = comparison.rows;
  const nll = (row: typeof a) => row.scores[0].metrics.nll;
  // windows of one length: the mean of the paired differences is the difference of the means
  assert.ok(Math.abs(a.difference!.mean - (nll(a).value - nll(full).value)) < 1e-6);
  assert.match(comparison.chart().finding, `is ${nll(a).value < nll(b).value ? "a" : "b"}:`);

  const task = await from(profiled).evaluate({ data: answers });
  assert.is(task.evaluation!.after.scores[0].headline, "exact_match");
  assert.ok(task.evaluation!.scores.given.exact_match.interval);
});

test("a metric that nobody knew of stands under its own name", () => {
  const score = (metric: string, value: number): NamedScore => ({ metric, value, stderr: 0.1, n: 4, perItem: [],
    higherIsBetter: true });
  const model = { name: "m", parameters: 1, sizeBytes: 2, flopsPerToken: 3,
    scores: [{ task: "t", headline: "recall",
      metrics: { recall: score("recall", 0.5), ndcg: score("ndcg", 0.25), exact_match: score("exact_match", 0) } }] };
  const table = scoreTable([model], { title: "", head: "model", byTask: true });
  assert.equal(table.columns, ["model", "recall", "ndcg", "parameters", "size", "flops"]);
  const two = { ...model,
    scores: [...model.scores, { task: "u", headline: "recall",
      metrics: { recall: score("recall", 0.7), ndcg: score("ndcg", 0.35) } }] };
  assert.equal(scoreTable([two], { title: "", head: "model", byTask: true }).toRecords().map(({ task }) => task), ["t",
    "u"]);
  const [mean] = scoreTable([two], { title: "", head: "arm", byTask: false }).toRecords();
  assert.ok(
    Math.abs((mean.recall as number) - 0.6) < 1e-12
      && Math.abs((mean.recall_stderr as number) - 0.1 / Math.SQRT2) < 1e-12,
  );
});

test.run();
