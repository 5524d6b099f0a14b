import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/index.js";
import { storedTensors, withFolder } from "../support/altered-fixture.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("what-is-there");
const root = mkdtempSync(join(tmpdir(), "moelab-there-"));
test.after(() => rmSync(root, { recursive: true }));
const mixtral = fixture("models/mixtral");
const loading = (ref: string) =>
  rejects(
    Promise.resolve(
      moe.load(ref, { env: { HF_ENDPOINT: "http://127.0.0.1:9", HF_HOME: join(root, "hf") }, attempts: 1 }),
    ),
  );

const ADAPTER = "{\"base_model_name_or_path\":\"org/base\",\"peft_type\":\"LORA\"}";
/** what stands in a folder (`true`: a file of the fixture of that name), and what the error says of it */
const folders: [string, Record<string, string | true>, RegExp][] = [["empty", {}, /It is empty/], ["bin", {
  "config.json": true,
  "pytorch_model.bin": "x",
  "pytorch_model.bin.index.json": "{}",
}, /holds pytorch_model\.bin, weights in another format: .*save_pretrained/], ["onnx", { "config.json": true,
  "model.onnx": "x" }, /holds model\.onnx/], ["gguf", { "tiny.gguf": "GGUF" },
  /holds tiny\.gguf: give the path of that file/], ["adapter", { "adapter_config.json": ADAPTER,
  "adapter_model.safetensors": "x" }, /an adapter for org\/base, .*\.adapt\("/], ["adapter-with-config", {
  "config.json": true,
  "adapter_config.json": ADAPTER,
  "adapter_model.safetensors": "x",
}, /an adapter for org\/base/], ["bare", { "model.safetensors": true }, /model\.safetensors without a config\.json/], [
  "consolidated",
  { "config.json": true, "consolidated.safetensors": "x" },
  /rename it to model\.safetensors/,
], ["outer", { "inner/config.json": true }, /in its folder inner: give .*outer\/inner/], ["models--org--name", {
  "snapshots/0123/config.json": true,
}, /give .*models--org--name\/snapshots\/0123/], ["thesis", { "a.tex": "", "b.tex": "", "c.tex": "", "d.tex": "",
  "e.tex": "" }, /holds a\.tex, .* and 1 more/]];
for (const [name, files, said] of folders) {
  test(`a folder that is no checkpoint: ${name}`, async () => {
    for (const [path, text] of Object.entries(files)) {
      const file = join(root, name, path);
      mkdirSync(dirname(file), { recursive: true });
      if (text === true) cpSync(join(mixtral, path.replace(/.*\//, "")), file);
      else writeFileSync(file, text);
    }
    mkdirSync(join(root, name), { recursive: true });
    const error = await loading(join(root, name));
    assert.is(error.code, "no-checkpoint");
    assert.match(error.message, said);
  });
}

test("a file in place of its folder", async () => {
  for (const name of ["config.json", "model.safetensors"])
    assert.match((await loading(join(mixtral, name))).message, /It is a file: give its folder, .*mixtral\./);
  assert.match((await rejects(moe.inspect(join(mixtral, "config.json")))).message, /give its folder/);
});

test("a path with slips of the pen: what is there is named, and that the hub was asked", async () => {
  cpSync(mixtral, join(root, "models", "My-Model"), { recursive: true });
  for (const slip of ["models/my-model", "modls/My-Model", "Models/my-modle/"]) {
    const error = await loading(join(root, slip));
    assert.is(error.code, "no-such-model");
    assert.match(error.message, /There is ".*models\/My-Model"/, slip);
  }
  assert.not.match((await loading(join(root, "models/another"))).message, /There is/);
  const folder = process.cwd();
  process.chdir(root);
  const error = await loading("models/my-modle").finally(() => process.chdir(folder));
  assert.is(error.code, "hub-unreachable");
  assert.match(error.message,
    /no folder "models\/my-modle" here \(there is "models\/My-Model"\), and .* hub: no answer/);
});

test("missing tensors: what the checkpoint has instead is named", async () => {
  const config = readFileSync(join(mixtral, "config.json"), "utf8");
  const tensors = (await storedTensors(mixtral)).map((each) => ({ ...each,
    name: each.name.replace(/q_proj\.weight$/, "query.weight") })
  );
  await withFolder(tensors, config, async (folder) => {
    const error = await loading(folder);
    assert.is(error.code, "missing-tensors");
    assert.match(error.message, /q_proj\.weight.*missing; .*self_attn\.query\.weight.* in the checkpoint and unknown/);
  });
});

test.run();
