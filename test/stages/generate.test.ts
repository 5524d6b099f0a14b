import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/moe.js";
import { Generation } from "../../sdk/stages/generation.js";
import type { Study } from "../../sdk/stages/study.js";
import { loadTokenizer } from "../../sdk/text/index.js";
import { DISPLAY, type MimeBundle } from "../../sdk/view/displayable.js";
import { rejects } from "../support/rejects.js";

const HOST = Symbol.for("moelab.kernel");
const bundled = new URL("../../data/models/nano-decoder", import.meta.url).pathname;
const TEMPLATE =
  "{% for m in messages %}{{ m.role }} : {{ m.content }} . {% endfor %}{% if add_generation_prompt %}reply{% endif %}";
let folder: string, study: Study;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "moelab-generate-"));
  await cp(bundled, folder, { recursive: true });
  await writeFile(join(folder, "chat_template.jinja"), TEMPLATE);
  study = await moe.load(folder);
});
test.after(() => rm(folder, { recursive: true, force: true }));

test("text goes in and out through the tokenizer; the pieces are the text", async () => {
  const pieces = ["", ""];
  const prompts = ["the whale", "a king came to the"];
  const written = await study.generate(prompts, { maxTokens: 12,
    onToken: ({ row, text }) => void (pieces[row] += text) });
  const tokenizer = await loadTokenizer(folder);
  for (const [row, prompt] of prompts.entries()) {
    const [ids] = await study.model.generate({ ids: [tokenizer.encode(prompt)] }, { maxTokens: 12 });
    const answer = written.answers[row];
    assert.equal(answer.ids, ids);
    assert.is(answer.text, tokenizer.decode(ids, { skipSpecial: true }));
    assert.is(pieces[row], answer.text);
    assert.is(answer.promptTokens, tokenizer.encode(prompt).length);
  }
  assert.is(written.tokens, written.answers[0].ids.length + written.answers[1].ids.length);
  assert.ok(written.tokensPerSecond > 0 && written.firstTokenMs > 0);
  assert.is(await moe.load(folder).generate("the whale", { maxTokens: 12 }).then(({ text }) => text), written.text);
});

test("an answer ends before a stop text, and at the end tokens of generation_config.json", async () => {
  const { text, answers: [{ ids }] } = await study.generate("the whale", { maxTokens: 16 });
  const stop = text.slice(6, 9);
  const cut = await study.generate("the whale", { maxTokens: 16, stop });
  assert.is(cut.text, text.slice(0, text.indexOf(stop)));
  assert.is(cut.answers[0].ended, "stop");
  assert.ok(cut.tokens < ids.length);
  await writeFile(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [1, ids[2]] }));
  const published = await study.generate("the whale", { maxTokens: 16 });
  assert.equal(published.answers[0].ids, ids.slice(0, ids.indexOf(ids[2]) + 1));
  assert.is(published.answers[0].ended, "stop");
  await writeFile(join(folder, "generation_config.json"), "{\"eos_token_id\": \"</s>\"}");
  assert.match((await rejects(study.generate("the whale"))).message, /eos_token_id of .*generation_config.json/);
  await rm(join(folder, "generation_config.json"));
});

test("a conversation goes through the template and goes on", async () => {
  const chat = study.chat({ system: "short", maxTokens: 4 });
  const first = await chat.say("the whale");
  const tokenizer = await loadTokenizer(folder);
  const ids = tokenizer.encode("system : short . user : the whale . reply", { specialTokens: false });
  assert.equal(first.answers[0].ids, (await study.model.generate({ ids: [ids] }, { maxTokens: 4 }))[0]);
  assert.equal(chat.messages.map(({ role }) => role), ["system", "user", "assistant"]);
  const second = await chat.say("more");
  assert.is(second.answers[0].promptTokens > first.answers[0].promptTokens, true);
  assert.equal(second.messages, chat.messages);
  await rejects(chat.say("again", { maxTokens: 0 }));
  assert.is(chat.messages.length, 5);
  const error = await rejects((await moe.load("nano-decoder")).chat().say("hello"));
  assert.is(error.code, "no-chat-template");
});

test("in a notebook the text grows in one display, which the result does not repeat in its cell", async () => {
  const shown: { bundle: MimeBundle; id?: string; update?: boolean }[] = [];
  const cell = new AbortController();
  const host = { signal: cell.signal,
    display: (bundle: MimeBundle, options: { id?: string; update?: boolean }) => shown.push({ bundle, ...options }) };
  Object.assign(globalThis, { [HOST]: host });
  try {
    const written = await study.generate("the <b>whale", { maxTokens: 6 });
    assert.is(new Set(shown.map(({ id }) => id)).size, 1);
    assert.equal(shown.map(({ update }) => update), shown.map((_, at) => at > 0));
    assert.is(shown.at(-1)!.bundle.data["text/plain"], written.text);
    const text = String(written[DISPLAY]().data["text/plain"]);
    assert.ok(!text.includes(written.text) && /tokens: first after/.test(text));
    host.signal = new AbortController().signal;
    assert.ok(String(written[DISPLAY]().data["text/plain"]).startsWith(written.text));
    let count = 0;
    const stopped = new AbortController();
    const error = await rejects(study.generate("the whale", {
      maxTokens: 6,
      signal: stopped.signal,
      onToken: () => ++count === 2 && stopped.abort(),
    } as never));
    assert.is(error.code, "aborted");
    assert.is(count, 2);
  } finally {
    delete (globalThis as Record<symbol, unknown>)[HOST];
  }
});

test("markup in an answer is text", () => {
  const answer = { prompt: "", promptTokens: 1, ids: [1, 2], text: "<img src=x onerror=alert(1)>",
    ended: "stop" as const };
  const { data } = new Generation("m", [answer], { timeMs: 2, firstMs: 1 })[DISPLAY]();
  assert.ok(!String(data["text/html"]).includes("<img"));
});

test("what cannot be continued is refused", async () => {
  const refused: [unknown, object, RegExp][] = [[[], {}, /neither text nor messages/], [7, {},
    /neither text nor messages/], [["a", { role: "user" }], {}, /neither text nor messages/], ["a", { maxTokens: 1.5 },
    /maxTokens is 1.5/], ["a", { stop: "" }, /stop\[0\] is ""/], ["a", {
    temperature: -1,
  }, /temperature is -1/]];
  for (const [prompt, options, message] of refused)
    assert.match((await rejects(study.generate(prompt as string, options))).message, message);
  const plain = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8"));
  await writeFile(join(folder, "tokenizer.json"),
    JSON.stringify({ ...plain, pre_tokenizer: null, normalizer: null, post_processor: null }));
  assert.match((await rejects(study.generate(""))).message, /prompt 0 is empty/);
  const made = await moe.create({ model_type: "mixtral", hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1,
    num_attention_heads: 2, num_key_value_heads: 1, vocab_size: 32, num_local_experts: 2, num_experts_per_tok: 1 });
  assert.is((await rejects(made.generate("a"))).code, "no-tokenizer");
});

test.run();
