import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createTokenizer, loadTokenizer } from "../../sdk/text/tokenizer.js";
import { pythonWith, scripted } from "../support/python.js";
import { rejects } from "../support/rejects.js";
import { fixture, shared } from "../support/shared.js";

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

type Changed = { change: Record<string, unknown>; texts: [string, number[]][] }[];
const differences = (cases: Changed) =>
  cases.flatMap(({ change, texts }) => {
    const tokenizer = createTokenizer({ ...bpe(), ...change });
    return texts.filter(([text, ids]) =>
      JSON.stringify(tokenizer.encode(text, { specialTokens: false })) !== JSON.stringify(ids)
    ).map(([text]) => `${JSON.stringify(change).slice(-200)} ${JSON.stringify(text)}`);
  });

test("parts that split, strip and find added tokens do it as the Rust library", () => {
  const cases: Changed = JSON.parse(readFileSync(fixture("text/tokenizers.json"), "utf8"));
  assert.ok(cases.length > 50);
  assert.equal(differences(cases), []);
});

test("they do it with texts of a new seed", () => {
  const python = pythonWith("tokenizers");
  if (!python) return;
  const seed = String(Math.floor(Date.now() / 1000));
  assert.equal(differences(scripted(python, fixture("text/make_tokenizers.py"), "--fuzz", seed, "60")), [], seed);
});

for (const name of ["bom-nel", "single-word", "extra-special-tokens", "named-templates", "special-tokens-map"]) {
  test(`a reported tokenizer: ${name}`, async () => {
    const folder = shared(`reports/tok-${name}`);
    if (!folder) return;
    const tokenizer = await loadTokenizer(folder);
    const json = (file: string) =>
      existsSync(join(folder, file)) ? JSON.parse(readFileSync(join(folder, file), "utf8")) : [];
    for (const { text, ids } of json("encodings.json")) assert.equal(tokenizer.encode(text), ids, text);
    for (const { messages, options, expected } of json("chat.json"))
      assert.is(tokenizer.chat(messages, options), expected);
  });
}

test("ids that would fill the memory, and values without end, are refused", () => {
  const broken = (change: (json: { model: { vocab: Record<string, unknown> }; added_tokens: unknown }) => void) => {
    const json = bpe();
    change(json);
    return () => createTokenizer(json);
  };
  assert.throws(broken((json) => (json.model.vocab["!"] = 994_000_000)), /id of "!" in model\.vocab is 994000000/);
  assert.throws(broken((json) => (json.model.vocab["!"] = JSON.parse("[".repeat(20_000) + "]".repeat(20_000)))),
    /is a list of 1/);
  assert.throws(broken((json) => (json.added_tokens = [{ id: 1e9, content: "x" }])), /added_tokens\[0\]/);
  assert.throws(broken((json) => (json.added_tokens = 7)), /added_tokens is 7/);
});

test.run();
