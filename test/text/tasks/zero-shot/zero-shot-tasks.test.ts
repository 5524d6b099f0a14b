import { test } from "uvu";
import * as assert from "uvu/assert";
import { runTask } from "../../../../sdk/evaluate/harness/run-task.js";
import { cmudict, phones } from "../../../../sdk/text/corpora/cmudict.js";
import type { HarnessModel } from "../../../../sdk/text/harness-task.js";
import { hash } from "../../../../sdk/text/hash.js";
import { DOMAINS, domainTexts } from "../../../../sdk/text/tasks/zero-shot/domain-texts.js";
import { zeroShotTasks } from "../../../../sdk/text/tasks/zero-shot/zero-shot-tasks.js";

/** Name, number and a hash over all questions. */
const EXPECTED = [["pronunciation", 600, "41f2cbf"], ["part_of_speech", 600, "e9e2f7bf"], ["word", 600, "da293a33"], [
  "word_order",
  600,
  "c13bd464",
], ["next_line", 600, "23b7b79"]];

const tasks = zeroShotTasks(600);
const named = (name: string) => tasks.find((task) => task.name === name)!;
const heldOut = DOMAINS.map((domain) => domainTexts(domain).test.map(({ text }) => text).join("\n"));

/** Finds a text likely when it stands in a held-out text, the rest unlikely. */
const reader: HarnessModel = {
  logLikelihood: async (requests) =>
    requests.map(({ context, continuation }) => {
      const known = heldOut.some((text) => text.includes(context + continuation));
      return { logLikelihood: known ? -1 : -100, greedy: known };
    }),
  rolling: async () => {
    throw new Error("not asked");
  },
  generate: async () => {
    throw new Error("not asked");
  },
};

test("the questions are those that results are reported on", () => {
  assert.equal(
    tasks.map(({ name, documents }) => [name, documents.length, hash(JSON.stringify(documents)).toString(16)]),
    EXPECTED,
  );
});

test("context and right choice stand in the held-out texts, context and wrong choices hardly ever", async () => {
  for (const task of tasks) {
    const samples = await runTask(task, reader);
    const right = samples.filter(({ values }) => values.acc === 1).length;
    // lines of code return in other declarations, which is then right as well
    assert.ok(right >= 0.95 * samples.length, `${task.name}: ${right} of ${samples.length}`);
  }
});

test("no place of the right answer is much likelier than another, and no choice stands twice", () => {
  for (const { name, documents, chance } of tasks) {
    for (let place = 0; place < 1 / chance; place++) {
      const share = documents.filter(({ answer }) => answer === place).length / documents.length;
      // three standard deviations of a share of 600
      assert.ok(Math.abs(share - chance) < 0.062, `${name}: place ${place} in ${share}`);
    }
    for (const { choices, id } of documents) assert.is(new Set(choices).size, choices.length, id);
  }
});

test("wrong pronunciations differ in one phone of the same class; the right one is the dictionary's", () => {
  const known = new Map(cmudict().map(({ text, fields }) => [text, phones(fields.arpabet).join(" ")]));
  for (const { context, choices, answer } of named("pronunciation").documents) {
    assert.is(choices[answer], known.get(context.replace(/[ :]/g, "")));
    const right = choices[answer].split(" ");
    for (const choice of choices.filter((_, place) => place !== answer)) {
      const places = choice.split(" ").flatMap((phone, place) => (phone === right[place] ? [] : [place]));
      assert.is(places.length, 1, `${right.join(" ")}, ${choice}`);
      assert.is(/^[AEIOU]/.test(choice.split(" ")[places[0]]), /^[AEIOU]/.test(right[places[0]]));
    }
  }
});

test("the two orders have the same words", () => {
  for (const { choices: [one, other] } of named("word_order").documents)
    assert.equal(one.split(" ").sort(), other.split(" ").sort());
});

test("fewer questions are asked when fewer are wanted", () => {
  for (const { documents, name } of zeroShotTasks(20)) assert.ok(documents.length > 0 && documents.length <= 20, name);
});

test.run();
