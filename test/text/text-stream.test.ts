import { test } from "uvu";
import * as assert from "uvu/assert";
import { Rng } from "../../sdk/tensor/rng.js";
import { textStream } from "../../sdk/text/text-stream.js";
import { loadTokenizer } from "../../sdk/text/tokenizer.js";

const tokenizers = ["bpe", "unigram"];
const folder = (name: string) => new URL(`../fixtures/tokenizers/${name}`, import.meta.url).pathname;

/** one token a byte */
const bytes = { decode: (ids: ArrayLike<number>) => new TextDecoder().decode(Uint8Array.from(Array.from(ids))) };
const encode = (text: string) => [...new TextEncoder().encode(text)];

test("characters of several tokens come whole, and the pieces are the text", () => {
  const text = "né 🧑‍🔬 日本";
  const stream = textStream(bytes);
  const pieces = encode(text).map((id) => stream.add(id));
  assert.ok(pieces.every((piece) => !piece.includes("\uFFFD")));
  assert.is(pieces.join("") + stream.end(), text);
  assert.is(stream.text, text);
});

test("bytes that never become a character are given at the end", () => {
  const stream = textStream(bytes);
  assert.is([0x61, 0xe6].map((id) => stream.add(id)).join(""), "a");
  assert.is(stream.end(), "\uFFFD");
});

test("a stop text ends it, and its beginning is held back until it is clear", () => {
  const stream = textStream(bytes, ["##", "STOP"]);
  const pieces = encode("a#b ST").map((id) => stream.add(id));
  assert.equal(pieces, ["a", "", "#b", " ", "", ""]);
  assert.equal(encode("xSTOPy").map((id) => stream.add(id)), ["STx", "", "", "", "", ""]);
  assert.is(stream.stopped, true);
  assert.is(stream.text, "a#b STx");
  const open = textStream(bytes, ["##"]);
  open.add(encode("#")[0]);
  assert.is(open.end(), "#");
});

for (const name of tokenizers) {
  test(`${name}: token by token is the text in one piece`, async () => {
    const tokenizer = await loadTokenizer(folder(name));
    const rng = new Rng(2);
    for (let round = 0; round < 20; round++) {
      const ids = Array.from({ length: 30 }, () => rng.int(tokenizer.size));
      const stream = textStream(tokenizer);
      const text = ids.map((id) => stream.add(id)).join("") + stream.end();
      assert.is(text, tokenizer.decode(ids, { skipSpecial: true }));
    }
  });
}

test.run();
