import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readNotebook } from "../kernels/headless/notebook.js";
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

const data = [{ ids: [[5, 9, 2, 4]], labels: [[9, 2, 4, 1]] }];
const loaded = () => moe.load(fixture("models/mixtral")) as any; // eslint-disable-line @typescript-eslint/no-explicit-any
const profiled = () => loaded().profile({ data });
const calls: [string, () => PromiseLike<unknown>, RegExp][] = [["no method", () => profiled().merge(),
  /the options are|method is not named/], ["null for options", () => profiled().merge(null),
  /merge: the options are null; accepted is an object/], ["a method that is no method",
  () => profiled().merge({ method: { name: "x" } }), /method { name: "x" } is not known|method \{/], [
  "null for a batch",
  () => loaded().evaluate({ data: [null] }),
  /has ids that are not there/,
], ["an object for an id", () => loaded().evaluate({ data: [{ ids: [[{ toString: 1 }]], labels: [[1]] }] }),
  /ids\[0\]\[0\]/], ["numbers for statistics", () => loaded().profile({ data, statistics: [7] }),
  /statistics is \[ 7 \]/], ["an object for items", () => loaded().evaluate({ data, items: { toString: 1 } }),
  /items is { toString: 1 }/], ["a list for eps", () => loaded().train({ data, steps: 1, eps: [1, 2] }),
  /eps is a list of 2; accepted is a number/], ["NaN for a rate", () => loaded().train({ data, steps: 1, lr: NaN }),
  /lr is NaN/], ["a word for a rate", () => loaded().train({ data, steps: 1, lr: "fast" }),
  /lr is "fast"; accepted is a number/], ["no step", () => loaded().train({ data, steps: 0 }),
  /steps is 0; accepted is at least 1/], ["half a sequence", () => loaded().train({ data, steps: 1, batch: 0.5 }),
  /batch is 0\.5/], ["a layout that has no words", () => loaded().save(join(root, "x"), { layout: [{ toString: 1 }] }),
  /the layout is \[/], ["a list for a dtype", () => loaded().save(join(root, "x"), { dtype: [{ toString: 1 }] }),
  /dtype is \[/], ["null for a generation", () => loaded().generate("x", null), /generate: the options are null/], [
  "an architecture that is a number",
  () => moe.create(-1 as never),
  /the architecture is -1/,
]];
for (const [what, call, said] of calls)
  test(`options: ${what}`, async () => assert.match((await rejects(Promise.resolve(call()))).message, said));

const families: [string, Json, RegExp][] = [["layers that are no list", { spec: { decoder: { layers: "=7" } } },
  /layers that are no list/], ["a layout without a name", { names: { embed: { transpose: true } } },
  /names\.embed is an object: accepted is a name/], ["no list of names", { names: { embed: [] } }, /names\.embed/], [
  "a number for names",
  { names: 7 },
  /names is 7/,
], ["a pattern that is none", { copies: ["("] }, /copies\.0 is "\(": accepted is a regular expression/], [
  "a stack of every object's names",
  {
    names: {
      "layers.{l}.experts.{e}.up": { name: "model.layers.{l}.block_sparse_moe.experts.{e}.w3.weight",
        stack: ["toString", "up"] },
    },
  },
  /"toString" beside up/,
]];
for (const [what, change, said] of families) {
  test(`a family file with ${what}`, async () => {
    const file = join(root, "family.json");
    writeFileSync(file, JSON.stringify({ family: "own", modelTypes: ["mixtral"], extends: "mixtral", ...change }));
    const error = await rejects(Promise.resolve(moe.load(fixture("models/mixtral"), { family: file })));
    assert.match(error.message, said);
  });
}

test("a notebook is what nbformat says, and a count of executions no HTML", () => {
  const cell = { cell_type: "code", id: "a", metadata: {}, source: "1", outputs: [], execution_count: 1 };
  const file = join(root, "a.ipynb");
  const read = (change: Json) => {
    writeFileSync(file,
      JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [{ ...cell, ...change }] }));
    return readNotebook(file);
  };
  assert.is(read({}).cells.length, 1);
  assert.is(read({ execution_count: null, outputs: undefined }).cells.length, 1);
  for (const wrong of [{ outputs: -53 }, { outputs: [7] }, { source: 3 }, {
    execution_count: "<script>alert(1)</script>",
  }, { cell_type: "constructor" }, { metadata: 3 }])
    assert.throws(() => read(wrong), (error: MoeError) => error.code === "bad-notebook", JSON.stringify(wrong));
  writeFileSync(file, "[".repeat(1e6));
  assert.throws(() => readNotebook(file), /128 brackets/);
  assert.throws(() => readNotebook("/dev/zero"), /is no file/);
});

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
