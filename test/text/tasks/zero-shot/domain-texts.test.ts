import { test } from "uvu";
import * as assert from "uvu/assert";
import { DOMAINS, domainTexts } from "../../../../sdk/text/tasks/zero-shot/domain-texts.js";

const PARTS = ["train", "dev", "test"] as const;

test("no document and no text is in two parts", () => {
  for (const domain of DOMAINS) {
    const texts = domainTexts(domain);
    for (const [a, b] of [["train", "dev"], ["train", "test"], ["dev", "test"]] as const) {
      const documents = new Set(texts[a].map(({ document }) => document));
      assert.not(texts[b].some(({ document }) => documents.has(document)), `${domain}: ${a} and ${b} share a document`);
      const seen = new Set(texts[a].map(({ text }) => text));
      assert.not(texts[b].some(({ text }) => seen.has(text)), `${domain}: ${a} and ${b} share a text`);
    }
  }
});

test("each domain is written as documented", () => {
  const written: Record<string, RegExp> = {
    speech: /^\S[^]{80}/,
    novel: /^\S[^]{80}/,
    dictionary: /^.+ \((noun|verb|adjective|adverb)\): \S/,
    code: /^(declare|interface|type|export)\b/,
    pronunciation: /^([a-z] ){3,10}:( [A-Z]{1,2})+$/,
  };
  for (const domain of DOMAINS) {
    for (const part of PARTS) {
      const texts = domainTexts(domain)[part];
      assert.ok(texts.length > 10, `${domain} ${part}`);
      for (const { id, text } of texts) assert.match(text, written[domain], id);
    }
  }
});

test("code carries no comment", () => {
  for (const { id, text } of domainTexts("code").train) assert.not.match(text, /\/\*|^\s*\/\//m, id);
});

test.run();
