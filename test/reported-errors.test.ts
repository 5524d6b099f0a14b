import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../sdk/errors.js";
import { moe, readReport, taskResults } from "../sdk/index.js";
import { packageFile } from "../sdk/package-file.js";
import { parseJson } from "../sdk/parse-json.js";
import { loadTokenizer } from "../sdk/text/index.js";
import { schedule } from "../sdk/train/schedule.js";
import { rejects } from "./support/rejects.js";
import { fixture } from "./support/shared.js";

// What users' files say that ended in an error of JavaScript or of tfjs; raw-errors of the reports and their kind.

const test = suite("reported-errors");
const root = mkdtempSync(join(tmpdir(), "moelab-reported-"));
test.after(() => rmSync(root, { recursive: true }));

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
let copies = 0;
const configOf = (model: string): Json => JSON.parse(readFileSync(fixture(`models/${model}/config.json`), "utf8"));

/** A copy of a folder with one of its files changed. */
function altered(source: string, file: string, change: (json: Json) => void): string {
  const folder = join(root, String(copies++));
  cpSync(source, folder, { recursive: true });
  const json = JSON.parse(readFileSync(join(folder, file), "utf8"));
  change(json);
  writeFileSync(join(folder, file), JSON.stringify(json));
  return folder;
}

const numbers: [string, Json, RegExp][] = [["gpt_oss", { swiglu_limit: -1 },
  /clamp is -1; accepted is a number above 0/], ["olmoe_bf16", { clip_qkv: -1 },
  /clip is -1; accepted is a number above 0/], ["glm4_moe", { partial_rotary_factor: 3 }, /turn 24 of 8 channels/], [
  "mixtral",
  { hidden_act: "constructor" },
  /the activation is "constructor"; accepted are relu/,
], ["mixtral", { hidden_act: "__proto__" }, /the activation is "__proto__"/], ["mixtral", {
  model_type: { toString: 1 },
}, /model_type is {"toString":1}/], ["mixtral", { model_type: "constructor" }, /model_type is "constructor"/], [
  "mixtral",
  { rope_scaling: { rope_type: { toString: 1 } } },
  /rope_type is {"toString":1}/,
], ["gpt2", { n_positions: { toString: 1 } }, /position.count is an object/]];
for (const [model, change, said] of numbers) {
  test(`${model} with ${JSON.stringify(change)}`, async () => {
    const folder = altered(fixture(`models/${model}`), "config.json", (config) => Object.assign(config, change));
    assert.match((await rejects(Promise.resolve(moe.load(folder)))).message, said);
  });
}

const nested = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown;
const created: [string, Json, string][] = [["brackets", { ...configOf("mixtral"), x: nested(20_000) },
  "bad-architecture"], ["itself", Object.assign(configOf("mixtral"), { get x() {
    return this;
  } }), "bad-architecture"], ["2^31 words", { ...configOf("opt"), vocab_size: 2 ** 31 }, "out-of-memory"], [
  "-2 kinds of tokens",
  { ...configOf("bert"), type_vocab_size: -2 },
  "bad-config",
]];
for (const [what, config, code] of created) {
  test(`create with ${what}`, async () => assert.is((await rejects(Promise.resolve(moe.create(config)))).code, code));
}

const tokenizer = packageFile("data/models/nano-decoder");
const tokenizers: [string, (text: string) => string, RegExp][] = [["an id that is nested",
  (text) => text.replace(/(":)3([,}])/, `$1${"[".repeat(20_000)}${"]".repeat(20_000)}$2`), /is not a JSON object/], [
  "a pre-tokenizer of a list of numbers",
  (text) => JSON.stringify({ ...JSON.parse(text), pre_tokenizer: { type: "Sequence", pretokenizers: [3] } }),
  /accepted is a tokenizer.json/,
], ["a pre-tokenizer named constructor",
  (text) => JSON.stringify({ ...JSON.parse(text), pre_tokenizer: { type: "constructor" } }),
  /accepted is a tokenizer.json/]];
for (const [what, change, said] of tokenizers) {
  test(`a tokenizer with ${what}`, async () => {
    const folder = altered(tokenizer, "tokenizer.json", () => {});
    const file = join(folder, "tokenizer.json");
    writeFileSync(file, change(readFileSync(file, "utf8")));
    const error = await rejects(loadTokenizer(folder).then((one) => one.encode("a word")));
    assert.match(error.message, said);
  });
}

for (const lacking of ["n-samples", "results"]) {
  test(`a report without ${lacking} of a task`, async () => {
    const file = join(root, `${lacking}.json`);
    writeFileSync(file,
      JSON.stringify({ results: { a: { "acc,none": 0.5, "acc_stderr,none": 0.1 } }, configs: { a: {} },
        versions: { a: 1 }, "n-shot": { a: 0 }, "n-samples": { a: { original: 1, effective: 1 } }, [lacking]: {} }));
    const error = await rejects(readReport(file).then(taskResults));
    assert.is(error.code, "bad-report");
    assert.match(error.message, new RegExp(`${lacking} has no entry for a`));
  });
}

for (const text of ["{\"recipe\":", "{\"recipe\":{\"task\":7}}"]) {
  test(`a record of a training that says ${text}`, async () => {
    const folder = altered(tokenizer, "training.json", () => {});
    writeFileSync(join(folder, "training.json"), text);
    const error = await rejects(Promise.resolve(moe.load(folder).evaluate({ items: 1, window: 4 })));
    assert.is(error.code, "bad-record");
    assert.match(error.message, /training\.json .*say \{ task \}/);
  });
}

test("a schedule that every object has", () =>
  assert.throws(() => schedule("constructor" as never, 2, 1), (error: MoeError) => error.code === "unknown-schedule"));

test("a message is short and has no control characters, whatever it repeats", () => {
  const { message } = new MoeError("x", `load: "\x1b[2J\u202e\0${"y".repeat(70_000)}" is there; accepted is less.`);
  assert.ok(message.length < 6100, String(message.length));
  assert.match(message,
    /^load: "\\u001b\[2J\\u202e\\u0000yyy.* … 64\d\d\d characters … y+" is there; accepted is less\.$/);
});

test("JSON from outside is what JSON.parse makes of it, up to 128 brackets in each other", () => {
  for (const text of ["[[[1]],{\"a\\\"]\":[]}]", "\"[\\\\\"", "3", JSON.stringify(nested(128))])
    assert.equal(parseJson(text), JSON.parse(text));
  for (const text of [JSON.stringify(nested(128)).replace("]", "[]]"), "[".repeat(4e6), "{\"a\":".repeat(1e5)])
    assert.throws(() => parseJson(text), /128 brackets/);
});

test.run();
