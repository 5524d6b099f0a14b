import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createTokenizer, loadTokenizer } from "../../sdk/text/tokenizer.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("tokenizer");
interface Case {
  text: string;
  ids: number[];
  tokens: string[];
  ids_with_special: number[];
  decoded: string;
  decoded_skip_special: string;
}

for (const kind of ["bpe", "unigram"]) {
  const expected: { vocab_size: number; cases: Case[] } = JSON.parse(
    readFileSync(fixture(`tokenizers/${kind}/expected.json`), "utf8"),
  );
  test(`${kind} has the reference's vocabulary`, async () => {
    assert.is((await loadTokenizer(fixture(`tokenizers/${kind}`))).size, expected.vocab_size);
    assert.is(expected.cases.length, 40);
  });
  for (const each of expected.cases) {
    test(`${kind} ${JSON.stringify(each.text)}`, async () => {
      const tokenizer = await loadTokenizer(fixture(`tokenizers/${kind}`));
      assert.equal(tokenizer.encode(each.text, { specialTokens: false }), each.ids);
      assert.equal(tokenizer.tokens(each.ids), each.tokens);
      assert.equal(tokenizer.encode(each.text), each.ids_with_special);
      assert.is(tokenizer.decode(each.ids), each.decoded);
      assert.is(tokenizer.decode(each.ids, { skipSpecial: true }), each.decoded_skip_special);
      assert.is(tokenizer.decode(Int32Array.from(each.ids)), each.decoded);
    });
  }
}

const bpe = () => JSON.parse(readFileSync(fixture("tokenizers/bpe/tokenizer.json"), "utf8"));
/** A ChatML-like template as published models have it: trims blocks, refuses wrong roles. */
const template = `{%- for message in messages %}
{%- if message.role not in ['system', 'user', 'assistant'] %}{{ raise_exception('no role ' + message.role) }}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

test("a chat template renders a conversation", () => {
  const tokenizer = createTokenizer(bpe(), { chat_template: template, eos_token: { content: "<|endoftext|>" } });
  const messages = [{ role: "user", content: "Hi" }];
  assert.is(tokenizer.chat(messages), "<|im_start|>user\nHi<|endoftext|>\n<|im_start|>assistant\n");
  assert.is(tokenizer.chat(messages, { addGenerationPrompt: false }), "<|im_start|>user\nHi<|endoftext|>\n");
});

test("a chat template may refuse, ask for the day and for variables", () => {
  assert.throws(() => createTokenizer(bpe(), { chat_template: template }).chat([{ role: "judge", content: "" }]),
    /chat: .*no role judge/);
  const rendered = createTokenizer(bpe(), { chat_template: "{{ strftime_now('%Y') }} {{ mood }}" }).chat([], {
    variables: { mood: "good" },
  });
  assert.is(rendered, `${new Date().getFullYear()} good`);
});

test("one of several templates is chosen by name", () => {
  const chat_template = [{ name: "default", template: "plain" }, { name: "tool_use", template: "tools" }];
  const tokenizer = createTokenizer(bpe(), { chat_template });
  assert.is(tokenizer.chat([]), "plain");
  assert.is(tokenizer.chat([], { template: "tool_use" }), "tools");
  assert.throws(() => tokenizer.chat([], { template: "tool_us" }), /Did you mean "tool_use"/);
  assert.throws(() => createTokenizer(bpe()).chat([]), /no chat template/);
});

test("a vocabulary that is none is refused by what was seen", () => {
  const withVocab = (vocab: unknown) => () =>
    createTokenizer({ ...bpe(), model: { ...(bpe() as { model: object }).model, vocab } });
  for (const [vocab, seen] of [[7, /model\.vocab is 7/], [undefined, /not there/], [null, /is null/], ["a", /is "a"/], [
    {},
    /empty/,
  ], [[], /empty/], [{ a: -1 }, /"a" in model\.vocab is -1/], [{ a: 0.5 }, /0\.5/], [{ a: 0, b: "1" },
    /"b" in model\.vocab is "1"/], [[["a", 0], ["b"]], /model\.vocab\[1\] is \["b"\]/]] as const) {
    assert.throws(withVocab(vocab), seen);
  }
});

test("the template may be a file of its own, and other files may be missing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-tokenizer-"));
  try {
    assert.is((await rejects(loadTokenizer(folder))).code, "no-tokenizer");
    writeFileSync(join(folder, "tokenizer.json"), "[]");
    assert.is((await rejects(loadTokenizer(folder))).code, "tokenizer");
    writeFileSync(join(folder, "tokenizer.json"), "{\"model\": {\"type\": \"Nothing\"}}");
    assert.is((await rejects(loadTokenizer(folder))).code, "tokenizer");
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(bpe()));
    writeFileSync(join(folder, "chat_template.jinja"), "from a file");
    assert.is((await loadTokenizer(folder)).chat([]), "from a file");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
