import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { cleanNotebook } from "../../kernels/headless/clean-notebook.js";
import { readNotebook } from "../../kernels/headless/notebook.js";
import { notebookToHtml } from "../../kernels/headless/page/page.js";
import { setParameters } from "../../kernels/headless/parameters.js";
import { checkedContent } from "../../kernels/moelab/server/request-fields.js";
import { Wire } from "../../kernels/moelab/wire.js";
import { withoutBareWords } from "../../sdk/checkpoint/config-text.js";
import { readFamily, specFromConfig } from "../../sdk/checkpoint/family.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { MoeError } from "../../sdk/errors.js";
import { findStudy } from "../../sdk/experiment/study-file.js";
import { loadPlan, loadProfile, loadTokenizer, moe, readReport, taskResults } from "../../sdk/index.js";
import { packageFile } from "../../sdk/package-file.js";
import type { Rng } from "../../sdk/tensor/rng.js";
import { COMMIT, gitHash } from "../checkpoint/hub/local-hub.js";
import { fixture } from "../support/shared.js";
import { mutatedBytes, mutatedJson, mutatedText } from "./mutate.js";

/** Makes an input of one kind in an empty folder and gives it to what reads it. `base` keeps what is made once. */
export type FuzzKind = (rng: Rng, folder: string, base: string) => Promise<void>;

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
const one = <T>(rng: Rng, values: readonly T[]): T => values[rng.int(values.length)]!;
const text = (path: string) => readFileSync(path, "utf8");
const json = (path: string) => JSON.parse(withoutBareWords(text(path))) as Json;
const data = [{ ids: [[5, 9, 2, 4, 1, 7]], labels: [[9, 2, 4, 1, 7, 3]] }];
const mixtral = () => moe.load(fixture("models/mixtral"));
const small = readdirSync(fixture("models"));

/** JSON changed as a value or, one time in four, as text. */
function mutatedFile(rng: Rng, value: unknown): string {
  return rng.int(4) ? JSON.stringify(mutatedJson(rng, value)) ?? "" : mutatedText(rng, JSON.stringify(value));
}

/** A folder that links to all files of another but one. */
function beside(folder: string, source: string, file: string, content: string | Buffer): string {
  for (const name of readdirSync(source)) if (name !== file) symlinkSync(join(source, name), join(folder, name));
  writeFileSync(join(folder, file), content);
  return folder;
}

/** What is made once for all inputs. */
async function made(path: string, make: (path: string) => PromiseLike<unknown>): Promise<string> {
  if (!existsSync(path)) await make(path);
  return path;
}

async function runs(folder: string, options: Parameters<typeof moe.load>[1] = {}): Promise<void> {
  const { model } = (await moe.load(folder, options)).state;
  try {
    const { encoder, vocab } = model.spec;
    const ids = [[1 % vocab, 2 % vocab, 3 % vocab]];
    const { logits } = await model.forward(encoder ? { ids, decoderIds: [[0, 1 % vocab]] } : { ids });
    await logits.data();
    logits.dispose();
  } finally {
    await model.dispose();
  }
}

async function readsAll(path: string): Promise<void> {
  const store = await openTensors(path);
  try {
    for (const name of store.names()) if (store.info(name).shape.length < 9) await store.values(name);
  } finally {
    await store.close();
  }
}

const hash = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

function tokenizerIn(rng: Rng, folder: string, file: string, change: (text: string) => string): Promise<unknown> {
  const source = one(rng, [packageFile("data/models/nano-decoder"), fixture("tokenizers/bpe"),
    fixture("tokenizers/unigram")]);
  return loadTokenizer(
    beside(folder, source, file, change(existsSync(join(source, file)) ? text(join(source, file)) : "{}")),
  ).then((tokenizer) => {
    const ids = tokenizer.encode("Two experts, 12 tokens:\u0085 \ufeffna\u00efve \ud83d\ude00 <s> [UNK]");
    tokenizer.decode(ids);
    tokenizer.tokens(ids);
    if (file !== "tokenizer.json") tokenizer.chat([{ role: "user", content: "Hi" }]);
  });
}

const templates = json(fixture("text/templates.json"));
const merged = async (base: string) =>
  made(join(base, "merged"), async (path) =>
    mixtral().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }).save(path));

async function withState(rng: Rng, folder: string, base: string, stage: "train" | "profile"): Promise<void> {
  const options = { data, ...(stage === "train" && { steps: 2, batch: 1 }) } as never;
  const source = await made(join(base, stage),
    async (state) => mixtral()[stage]({ ...(options as object), state } as never));
  cpSync(source, join(folder, "state"), { recursive: true });
  const name = `moelab-${stage === "train" ? "training" : "profile"}.json`, index = json(join(source, name));
  const names = readdirSync(source).filter((each) => each !== name);
  const changed = rng.int(3) ? one(rng, names) : "";
  if (changed) {
    const whole = readFileSync(join(source, changed));
    const next = changed.endsWith(".json") && rng.int(3)
      ? Buffer.from(mutatedFile(rng, JSON.parse(String(whole))))
      : mutatedBytes(rng, whole);
    writeFileSync(join(folder, "state", changed), next);
    for (const each of Object.values(index.files as Json)) if (each.file === changed) each.sha256 = hash(next);
  }
  // most are signed again: what is wrong behind a right hash has to be found too
  const { sha256: _, ...rest } = changed && rng.int(3) ? index : mutatedJson(rng, index) as Json ?? {};
  const signed = rng.int(5) ? JSON.stringify({ sha256: hash(JSON.stringify(rest)), ...rest }) : mutatedFile(rng, index);
  writeFileSync(join(folder, "state", name), signed);
  await mixtral()[stage]({ ...(options as object), state: join(folder, "state") } as never);
}

const planFor = async (base: string) =>
  made(join(base, "plan.json"), async (path) => {
    const study = await mixtral().profile({ data }).merge({ method: "zipit", keep: 0.5 });
    await study.plan!.save(path);
  });
const profileFor = async (base: string) =>
  made(join(base, "profile.json"), async (path) => {
    const study = await mixtral().profile({ data,
      statistics: ["usage", "routerLogits", "coactivation", "gateMass", "meanOutput"] });
    await study.saveProfile(path);
  });

/** A hub that answers as told. */
async function hub(tree: string, info: string, headers: Record<string, string>, folder: string): Promise<void> {
  const server = createServer((request, response) => {
    const path = request.url!;
    const file = ["config.json", "model.safetensors"].find((name) => path.endsWith(name));
    const [status, body] = path.includes("/revision/")
      ? [200, info]
      : path.includes("/tree/")
      ? [200, tree]
      : file
      ? [200, readFileSync(join(fixture("models/mixtral"), file))]
      : [404, ""];
    response.writeHead(status as number, { "Content-Type": "application/json", ...headers }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const { port } = server.address() as AddressInfo;
    await moe.load("org/model", { env: { HF_ENDPOINT: `http://127.0.0.1:${port}`, HF_HOME: folder }, attempts: 1,
      retryDelayMs: 1 });
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const report = {
  results: { a: { alias: "a", "acc,none": 0.5, "acc_stderr,none": 0.1 }, b: { "acc,x": 1, "acc_stderr,x": "N/A" } },
  groups: { g: { "acc,none": 0.5, "acc_stderr,none": 0.1 } },
  group_subtasks: { g: ["a"] },
  configs: { a: { task: "a" }, b: {} },
  versions: { a: 1, b: "2" },
  "n-shot": { a: 0, b: 5 },
  higher_is_better: { a: { acc: true } },
  "n-samples": { a: { original: 1, effective: 1 }, b: { original: 2, effective: 1 } },
  config: { regime: "x" },
  date: 1,
};

export const kinds: Record<string, FuzzKind> = {
  async safetensors(rng, folder) {
    const file = join(folder, "a.safetensors");
    const source = one(rng, [fixture("dtypes.safetensors"),
      fixture("models/mixtral_sharded/model-00001-of-00003.safetensors")]);
    writeFileSync(file, mutatedBytes(rng, readFileSync(source)));
    await readsAll(file);
  },
  async index(rng, folder) {
    const source = fixture("models/mixtral_sharded"), name = "model.safetensors.index.json";
    await readsAll(beside(folder, source, name, mutatedFile(rng, json(join(source, name)))));
  },
  async checkpoint(rng, folder) {
    const source = fixture(
      `models/${one(rng, small.filter((name) => existsSync(fixture(`models/${name}/model.safetensors`))))}`,
    );
    const bytes = readFileSync(join(source, "model.safetensors")), length = Number(bytes.readBigUInt64LE(0));
    const header = Buffer.from(mutatedFile(rng, JSON.parse(bytes.toString("utf8", 8, 8 + length))));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    await runs(beside(folder, source, "model.safetensors", Buffer.concat([size, header, bytes.subarray(8 + length)])));
  },
  async gguf(rng, folder) {
    writeFileSync(join(folder, "a.gguf"), mutatedBytes(rng, readFileSync(fixture("../checkpoint/gguf/tiny.gguf"))));
    await readsAll(join(folder, "a.gguf"));
  },
  async config(rng, folder) {
    const source = fixture(`models/${one(rng, small)}`);
    await runs(beside(folder, source, "config.json", mutatedFile(rng, json(join(source, "config.json")))));
  },
  async "config of a changed model"(rng, folder, base) {
    const source = await merged(base);
    const config = json(join(source, "config.json"));
    config.moelab = mutatedJson(rng, config.moelab);
    await runs(beside(folder, source, "config.json", JSON.stringify(config)));
  },
  async family(rng, folder) {
    const files = readdirSync(packageFile("data/families"));
    const file = join(folder, "family.json");
    const own = json(packageFile(`data/families/${one(rng, files)}`));
    writeFileSync(file, mutatedFile(rng, own));
    const found = small.find((name) =>
      own.modelTypes?.includes(json(fixture(`models/${name}/config.json`)).model_type)
    );
    if (found) await runs(fixture(`models/${found}`), { family: file });
    else await specFromConfig(json(fixture("models/mixtral/config.json")), readFamily(file));
  },
  async spec(rng, folder, base) {
    const { model } = (await mixtral()).state;
    const spec = structuredClone(model.spec);
    await model.dispose();
    const study = await moe.create(mutatedJson(rng, spec) as never, { seed: 1 });
    const { model: created } = study.state;
    await (await created.forward({ ids: [[0, 0]], decoderIds: created.spec.encoder && [[0]] } as never)).logits.data();
    await created.dispose();
    void [folder, base];
  },
  async tokenizer(rng, folder) {
    await tokenizerIn(rng, folder, "tokenizer.json", (whole) => {
      const file = JSON.parse(whole) as Json;
      const { model, ...rest } = file;
      const { vocab, merges, ...own } = model;
      // what is small says most
      if (rng.int(3))
        return JSON.stringify(
          Object.assign(Object(mutatedJson(rng, { ...rest, model: own })) as Json,
            rng.int(20) && { model: { ...own, vocab, merges } }),
        );
      return rng.int(2)
        ? mutatedText(rng, whole)
        : JSON.stringify({ ...rest, model: { ...own, merges, vocab: mutatedJson(rng, vocab) } });
    });
  },
  async "tokenizer's configuration"(rng, folder) {
    const file = one(rng, ["tokenizer_config.json", "special_tokens_map.json"]);
    await tokenizerIn(rng, folder, file,
      (whole) =>
        mutatedFile(rng, { bos_token: "<s>", eos_token: { content: "</s>" },
          chat_template: [{ name: "default",
            template: "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}" }, { name: "tool_use",
            template: "x" }], extra_special_tokens: { image_token: "<i>" },
          added_tokens_decoder: { 0: { content: "<s>" } }, ...JSON.parse(whole) }));
  },
  async template(rng, folder) {
    const source: string = one<Json>(rng, templates.cases).template;
    const tokenizer = await loadTokenizer(
      beside(folder, fixture("tokenizers/bpe"), "chat_template.jinja", mutatedText(rng, source)),
    );
    tokenizer.chat(templates.context.messages, { variables: { ...templates.context, messages: undefined } });
  },
  async plan(rng, folder, base) {
    const file = join(folder, "plan.json");
    writeFileSync(file, mutatedFile(rng, json(await planFor(base))));
    const { model } = (await mixtral().apply(await loadPlan(file))).state;
    await (await model.forward(data[0]!)).logits.data();
    await model.dispose();
  },
  async profile(rng, folder, base) {
    const { sha256: _, ...whole } = json(await profileFor(base));
    const file = join(folder, "profile.json");
    const changed = rng.int(2) ? { ...whole, layers: mutatedJson(rng, whole.layers) } : mutatedJson(rng, whole);
    writeFileSync(file, rng.int(5) ? JSON.stringify(changed) : mutatedFile(rng, whole));
    await loadProfile(file);
    const [verb, method] = one(rng,
      [["merge", "m-smoe"], ["merge", "hc-smoe"], ["prune", "reap"], ["prune", "frequency"]] as const);
    await mixtral().profile({ from: file, data })[verb as "merge"]({ method: method as "m-smoe", keep: 0.5 });
  },
  async report(rng, folder) {
    const file = join(folder, "report.json");
    writeFileSync(file, mutatedFile(rng, report));
    taskResults(await readReport(file));
  },
  async notebook(rng, folder) {
    const file = join(folder, "a.ipynb");
    const source = json(packageFile(`notebooks/${one(rng, ["lessons/own-method", "papers/meo"])}.ipynb`));
    source.cells.at(-1).outputs = [{ output_type: "display_data",
      data: { "text/html": "<b>x</b>", "text/plain": ["x"], "application/json": { a: 1 }, "image/png": "AAAA",
        "application/vnd.vega-lite.v5+json": { mark: "bar" } }, metadata: {} }, { output_type: "stream", name: "stdout",
      text: ["a\n", "\u001b[31mb"] }, { output_type: "error", ename: "E", evalue: "v", traceback: ["t"] }];
    writeFileSync(file, mutatedFile(rng, source));
    const notebook = readNotebook(file);
    if (rng.int(2)) setParameters(notebook, { budget: "quick" });
    cleanNotebook(notebook);
    notebookToHtml(notebook, "fuzz");
  },
  async study(rng, folder) {
    const file = join(folder, "study.json");
    writeFileSync(file,
      mutatedFile(rng, json(packageFile(`data/studies/${one(rng, ["meo", "mc-smoe-decoder"])}/study.json`))));
    findStudy(file);
  },
  "state of a training": (rng, folder, base) => withState(rng, folder, base, "train"),
  "state of a profile": (rng, folder, base) => withState(rng, folder, base, "profile"),
  async "record of a save"(rng, folder, base) {
    const source = await merged(base);
    cpSync(source, join(folder, "out"), { recursive: true });
    const file = one(rng, ["moelab.json", "config.json"]);
    writeFileSync(join(folder, "out", file), mutatedFile(rng, json(join(source, file))));
    await mixtral().save(join(folder, "out"), { overwrite: true });
  },
  async "adapter or index in place of a model"(rng, folder) {
    const adapter = { base_model_name_or_path: "org/base", peft_type: "LORA", r: 8 };
    const file = one(rng, ["adapter_config.json", "config.json", "model.safetensors.index.json", "pytorch_model.bin"]);
    const content = mutatedFile(rng, adapter);
    if (rng.int(3)) writeFileSync(join(folder, file), content);
    else beside(folder, fixture("models/mixtral"), file, content);
    await (rng.int(2) ? moe.load(folder) : moe.inspect(folder));
  },
  async adapter(rng, folder) {
    const { adapters } = json(fixture("adapters/adapters.json")) as { adapters: Record<string, { base: string }> };
    const name = one(rng, Object.keys(adapters)), source = fixture(`adapters/${name}`);
    const file = one(rng, ["adapter_config.json", "adapter_model.safetensors"]),
      whole = readFileSync(join(source, file));
    beside(folder, source, file,
      file.endsWith(".json") ? mutatedFile(rng, JSON.parse(String(whole))) : mutatedBytes(rng, whole));
    const { model } = (await moe.load(fixture(`models/${adapters[name]!.base}`)).adapt(folder)).state;
    const { encoder, vocab } = model.spec, ids = [[1 % vocab, 2 % vocab]];
    const { logits } = await model.forward(encoder ? { ids, decoderIds: ids } : { ids });
    await logits.data();
    logits.dispose();
    await model.dispose();
  },
  async hub(rng, folder) {
    const config = readFileSync(join(fixture("models/mixtral"), "config.json"));
    const weights = readFileSync(join(fixture("models/mixtral"), "model.safetensors"));
    const tree = [{ type: "file", path: "config.json", size: config.length, oid: gitHash(config) }, { type: "directory",
      path: "x" }, { type: "file", path: "note: a.txt", size: 4, oid: gitHash(config) }, { type: "file",
      path: "model.safetensors", oid: gitHash(config), size: weights.length,
      lfs: { oid: hash(weights), size: weights.length, pointerSize: 9 } }];
    const info = { _id: "1", id: "org/model", sha: COMMIT, private: false };
    const link = one<Record<string, string>>(rng, [{}, {}, {}, { Link: "<http://127.0.0.1:1/x>; rel=\"next\"" }, {
      Link: mutatedText(rng, "<a>; rel=\"next\"").replace(/[^\x20-\x7e]/g, "").slice(0, 2000),
    }]);
    await (rng.int(2)
      ? hub(mutatedFile(rng, tree), JSON.stringify(info), link, folder)
      : hub(JSON.stringify(tree), mutatedFile(rng, info), link, folder));
  },
  async batches(rng) {
    const batch = mutatedJson(rng, data) as never;
    const study = mixtral();
    await (rng.int(2) ? study.profile({ data: batch }) : study.evaluate({ data: batch }));
  },
  async options(rng) {
    const stages = [["merge", { method: "m-smoe", keep: 0.5 }], ["merge", { method: "hc-smoe", keep: 0.5,
      linkage: "average" }], ["merge", { method: "zipit", keep: 2 }], ["prune", { method: "reap", keep: 0.5 }], [
      "prune",
      { method: "naee", keep: 0.5 },
    ], ["compress", { method: "low-rank-sparse", rank: 4, keep: 0.5 }], ["compress", { method: "svd", rank: 4 }], [
      "route",
      { method: "dynamic-skipping" },
    ], ["profile", { data, statistics: ["usage"] }], ["train", { data, steps: 1, batch: 1, lr: 1e-3, schedule: "linear",
      warmup: 0, clip: 1, decay: 0.01 }], ["evaluate", { data, items: 4 }]] as const;
    const [verb, options] = one(rng, stages);
    const changed = mutatedJson(rng, options) as Json;
    if (typeof changed?.steps === "number" && changed.steps > 50) changed.steps = 50; // that many are no hang
    const study = ["profile", "train", "evaluate"].includes(verb) ? mixtral() : mixtral().profile({ data });
    await (study as unknown as Record<string, (options: unknown) => PromiseLike<unknown>>)[verb]!(changed);
  },
  async "options of a save"(rng, folder) {
    const options = mutatedJson(rng, { layout: "moelab", dtype: "BF16", maxShardBytes: 60_000, overwrite: true });
    await mixtral().save(join(folder, "out"), options as never);
  },
  async "options of a generation"(rng) {
    const options = mutatedJson(rng, { maxTokens: 3, temperature: 0.7, topK: 5, topP: 0.9, seed: 1,
      stop: ["x"] }) as Json;
    if (typeof options?.maxTokens === "number" && options.maxTokens > 20) options.maxTokens = 20; // that many are no hang
    const prompt = rng.int(2) ? "Once" : mutatedJson(rng, one<unknown>(rng, ["Once", ["Once", "more"]]));
    await moe.load("nano-decoder").generate(prompt as never, options as never);
  },
  async message(rng) {
    const wire = new Wire(rng.int(2) ? "key" : "");
    const type = one(rng, ["execute_request", "complete_request", "inspect_request", "history_request", "comm_open",
      "comm_info_request", "is_complete_request", "input_reply", "shutdown_request", "interrupt_request"]);
    const content = { code: "1 + 1", cursor_pos: 1, silent: false, store_history: true, user_expressions: { a: "1" },
      allow_stdin: true, stop_on_error: true, detail_level: 0, hist_access_type: "search", pattern: "a*", n: 3,
      unique: true, comm_id: "c", target_name: "t", data: { a: 1 }, restart: false, value: "v" };
    let frames = wire.pack({ header: wire.header(type), content });
    const at = rng.int(frames.length);
    if (rng.int(2))
      frames[at] = rng.int(2)
        ? mutatedBytes(rng, Buffer.from(frames[at]!))
        : Buffer.from(mutatedText(rng, String(frames[at])));
    else frames = wire.pack({ header: (mutatedJson(rng, wire.header(type)) ?? null) as never,
        content: (mutatedJson(rng, content) ?? null) as never });
    const message = wire.unpack(frames);
    if (!message) throw new MoeError("dropped", "kernel: the message is dropped.");
    try {
      checkedContent(message.header.msg_type, message.content);
    } catch (error) {
      if ((error as Error).name !== "BadRequest") throw error;
      throw new MoeError("bad-request", (error as Error).message);
    }
    wire.pack({ header: wire.header("x"), parent: message.header, content: {} }); // it goes back with every answer
  },
};
