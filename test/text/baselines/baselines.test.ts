import { test } from "uvu";
import * as assert from "uvu/assert";
import { BASELINES, baselines } from "../../../sdk/text/baselines/baselines.js";
import { listTasks, loadTask, taskDefinition } from "../../../sdk/text/tasks/load-task.js";
import type { Task } from "../../../sdk/text/tasks/task.js";

/** Test scores in per cent, measured; a change of data or rule that moves one by more than a point must be said. */
const MEASURED: Record<string, Record<string, number>> = {
  pron: { "majority": 0, "letter-table": 14.6 },
  spell: { "majority": 0, "letter-table": 15.6 },
  lemma: { "majority": 0, "copy": 0, "suffix-table": 67.5 },
  derive: { "majority": 0, "copy": 0, "suffix-table": 52.7 },
  span: { "majority": 1.9, "last-two-words": 12.6 },
  stress: { "majority": 17.1, "suffix-vote": 45.8 },
  century: { "majority": 50, "naive-bayes": 88.1 },
  kind: { "majority": 8.3, "naive-bayes": 77.2 },
  name: { "majority": 8.3, "naive-bayes": 37.9 },
  pos: { "majority": 25, "naive-bayes": 82.6 },
  domain: { "majority": 25, "naive-bayes": 90.3 },
  party: { "majority": 50, "naive-bayes": 61.8 },
  blank: { "first-option": 48.8, "frequent-option": 51 },
};

test("baselines score what was measured, on the whole test part", async () => {
  for (const [name, expected] of Object.entries(MEASURED)) {
    const task = await loadTask(name);
    const scores = await baselines(task);
    assert.equal(scores.map((each) => each.name), Object.keys(expected));
    for (const { name: baseline, score, n, metric } of scores) {
      assert.is(n, task.test.length);
      assert.is(metric, task.definition.metrics[0]);
      assert.ok(Math.abs(100 * score - expected[baseline]) < 1, `${name} ${baseline}: ${100 * score}`);
    }
  }
});

test("on balanced options neither place nor frequency tells the answer", async () => {
  for (const { score, stderr } of await baselines(await loadTask("blank")))
    assert.ok(Math.abs(score - 0.5) < 3 * stderr);
});

test("every declared baseline exists, and every task has one", () => {
  for (const name of listTasks()) {
    const { baselines: declared } = taskDefinition(name);
    assert.ok(declared.length > 0 && declared.every((baseline) => baseline in BASELINES), name);
  }
});

test("limit and part choose the items that a model was scored on", async () => {
  const task = await loadTask("span");
  const [first] = await baselines(task, { part: "dev", limit: 7, metric: "token_f1" });
  assert.equal([first.n, first.metric], [7, "token_f1"]);
});

const letters = (word: string) => [...word].map((letter) => `<${letter}>`);
function toy(pairs: [string[], string[]][]): Task {
  const train = pairs.map(([prompt, answer], i) => ({ id: `toy/${i}`, prompt, answer, document: `${i}` }));
  return { definition: taskDefinition("pron"), train, dev: [], test: [] };
}
const ask = (prompt: string[]) => ({ id: "asked", prompt, answer: [], document: "asked" });

test("the suffix table rewrites the ending and falls back to shorter ones", () => {
  const answer = BASELINES["suffix-table"](
    toy([[letters("cries"), letters("cry")], [letters("tries"), letters("try")], [letters("boxes"), letters("box")]]),
  );
  assert.equal(answer(ask(letters("flies"))), letters("fly"));
  assert.equal(answer(ask(letters("waxes"))), letters("wax"));
  // "des" was never seen, "es" mostly goes with "ies": three letters for y
  assert.equal(answer(ask(letters("codes"))), letters("coy"));
});

test("the letter table uses neighbours, then the letter alone", () => {
  const answer = BASELINES["letter-table"](
    toy([[letters("ca"), ["<K>", "<AH>"]], [letters("ce"), ["<S>", "<IY>"]], [letters("co"), ["<K>", "<OW>"]]]),
  );
  assert.equal(answer(ask(letters("ce"))), ["<S>", "<IY>"]);
  assert.equal(answer(ask(letters("cx"))), ["<K>"]);
});

test("naive Bayes weighs the words of a label", () => {
  const answer = BASELINES["naive-bayes"](
    toy([[[" win", " money"], ["<junk>"]], [[" see", " you"], ["<ham>"]], [[" see", " notes"], ["<ham>"]]]),
  );
  assert.equal(answer(ask([" money", " now"])), ["<junk>"]);
  assert.equal(answer(ask([" see"])), ["<ham>"]);
  assert.equal(answer(ask([" unseen"])), ["<ham>"]);
});

test("options are chosen by how often they are answers", () => {
  const task = toy([[[], [" sea"]], [[], [" sea"]], [[], [" land"]]]);
  const question = ask([" land", "<sep>", " sea", "<sep>", " the", "<gap>"]);
  assert.equal(BASELINES["first-option"](task)(question), [" land"]);
  assert.equal(BASELINES["frequent-option"](task)(question), [" sea"]);
});

test.run();
