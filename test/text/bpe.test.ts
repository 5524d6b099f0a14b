import { test } from "uvu";
import * as assert from "uvu/assert";
import { learnMerges } from "../../sdk/text/bpe.js";

const alphabet = new Set("_abcdefghijklmnopqrstuvwxyz");

test("merges the words of the original paper by hand-counted pairs", () => {
  const counts = new Map([["low", 5], ["lower", 2], ["newest", 6], ["widest", 3]]);
  // e s: 9, equal to s t: 9, and e s sorts first; then es t 9; then l o 7; then lo w 7
  assert.equal(learnMerges(counts, alphabet, 4), [["e", "s"], ["es", "t"], ["l", "o"], ["lo", "w"]]);
});

test("a run of one letter is merged from the left, and of equal pairs the one that sorts first", () => {
  assert.equal(learnMerges(new Map([["aaaaa", 1]]), alphabet, 9), [["a", "a"], ["aa", "a"], ["aa", "aaa"]]);
});

test("words outside the alphabet are ignored, and learning ends when every word is one piece", () => {
  assert.equal(learnMerges(new Map([["ab", 1], ["é", 100]]), alphabet, 5), [["a", "b"]]);
});

test.run();
