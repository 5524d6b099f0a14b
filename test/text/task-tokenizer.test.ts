import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { taskTokenizer } from "../../sdk/text/task-tokenizer.js";
import { listTasks, taskDefinition } from "../../sdk/text/tasks/load-task.js";
import { createTokenizer, loadTokenizer } from "../../sdk/text/tokenizer.js";

const folder = fileURLToPath(new URL("../../data/models/nano-switch/", import.meta.url));

/** Ids by the Rust library (Python `tokenizers` 0.23.3) from the committed file. */
const GOLDEN: [string, number[]][] = [["<pron><c><a><t>", [4, 50, 48, 67]], ["<K><AE><T></s>", [93, 75, 104, 1]], [
  "<span> of<sep> we the People of 1905, united states'",
  [8, 169, 3, 224, 161, 440, 169, 527, 121, 411, 377, 118],
], ["<kind> a small bird; \"it's\" 100% (re-elected)", [11, 157, 640, 172, 246, 133, 127, 561, 171, 118, 148, 115, 701,
  117, 383, 162, 122, 134, 209, 208, 175, 120]], ["two  spaces é", [149, 152, 144, 113, 328, 130, 454, 113, 2]], [
  " mid-sentence<gap> -- done",
  [181, 236, 122, 148, 196, 443, 45, 553, 122, 192, 451],
]];

test("encodes as the Rust library does", async () => {
  const tokenizer = await loadTokenizer(folder);
  for (const [text, ids] of GOLDEN) assert.equal(tokenizer.encode(text), ids, text);
});

test("pad is 0, end 1, unknown 2, and tasks, labels, letters and phones are whole", async () => {
  const tokenizer = await loadTokenizer(folder);
  assert.is(tokenizer.size, 1024);
  assert.equal(
    [tokenizer.special.pad_token, tokenizer.special.eos_token, tokenizer.special.unk_token].map((token) =>
      tokenizer.id(token)
    ),
    [0, 1, 2],
  );
  for (const name of [...listTasks(), ...listTasks().flatMap((task) => taskDefinition(task).symbols ?? []), "a", "z",
    "AE", "ZH", "sep"]) {
    assert.is(tokenizer.encode(`<${name}>`).length, 1, name);
  }
});

test("no task name is a label, and no label a letter", () => {
  const labels = new Set(listTasks().flatMap((task) => taskDefinition(task).symbols ?? []));
  assert.ok(listTasks().every((name) => !labels.has(name)));
  assert.ok([...labels].every((label) => !/^[a-z]$/.test(label)));
});

test("the committed file is what the installed corpora give", async () => {
  const built = await taskTokenizer();
  const committed = JSON.parse(readFileSync(`${folder}tokenizer.json`, "utf8"));
  assert.equal(Object.keys(built.model as object), Object.keys(committed.model));
  assert.equal(built, committed);
  assert.is(createTokenizer(built).size, 1024);
});

test.run();
