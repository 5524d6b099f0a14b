import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/index.js";
import { loadTokenizer } from "../../sdk/text/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("companion-files");
let root = "";
test.before.each(() => void (root = mkdtempSync(join(tmpdir(), "moelab-companions-"))));
test.after.each(() => rmSync(root, { recursive: true }));

/** a model with a tokenizer, and several templates as transformers writes them */
function withTemplates(): string {
  const folder = join(root, "model");
  cpSync(fixture("models/mixtral"), folder, { recursive: true });
  cpSync(fixture("tokenizers/bpe"), folder, { recursive: true });
  writeFileSync(join(folder, "chat_template.jinja"), "{{ messages[0].content }}");
  mkdirSync(join(folder, "additional_chat_templates"), { recursive: true });
  writeFileSync(join(folder, "additional_chat_templates", "tool_use.jinja"), "tools: {{ messages[0].content }}");
  return folder;
}

test("additional templates are saved, counted among the files, and replaced by the next save", async () => {
  const out = join(root, "out");
  for (const overwrite of [false, true]) {
    const saved = await moe.load(withTemplates()).save(out, { overwrite });
    assert.ok(saved.files.some(({ name }) => name === "additional_chat_templates/tool_use.jinja"));
  }
  const tokenizer = await loadTokenizer(out), messages = [{ role: "user", content: "Hi" }];
  assert.is(tokenizer.chat(messages), "Hi");
  assert.is(tokenizer.chat(messages, { template: "tool_use" }), "tools: Hi");
});

test("what a user put among the templates is not replaced", async () => {
  const out = join(root, "out");
  await moe.load(withTemplates()).save(out);
  writeFileSync(join(out, "additional_chat_templates", "mine.jinja"), "mine");
  const error = await rejects(Promise.resolve(moe.load(withTemplates()).save(out, { overwrite: true })));
  assert.is(error.code, "not-ours");
  assert.match(error.message, /holds additional_chat_templates\/mine\.jinja/);
  assert.is(readFileSync(join(out, "additional_chat_templates", "mine.jinja"), "utf8"), "mine");
});

test("pipes, devices, folders and broken links among the companions are passed over", async () => {
  const model = join(root, "model");
  cpSync(fixture("models/mixtral"), model, { recursive: true });
  execFileSync("mkfifo", [join(model, "vocab.json")]);
  mkdirSync(join(model, "LICENSE.d"));
  symlinkSync("/dev/zero", join(model, "merges.txt"));
  symlinkSync("nowhere", join(model, "NOTICE"));
  writeFileSync(join(model, "additional_chat_templates"), "a file");
  await moe.load(model).save(join(root, "out"));
  assert.equal(readdirSync(join(root, "out")).sort(), ["README.md", "config.json", "model.safetensors", "moelab.json"]);
});

test.run();
