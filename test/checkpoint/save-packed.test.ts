import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type OpenedModel, openModel } from "../../sdk/checkpoint/open-model.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { saveModel, type SaveOptions } from "../../sdk/checkpoint/save-model.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { Plan } from "../../sdk/plan/plan.js";
import { decode, encode } from "../../sdk/tensor/formats/index.js";
import type { NumberFormat } from "../../sdk/tensor/formats/number-format.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("save-packed");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-packed-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

const grouped = (change: object = {}): NumberFormat =>
  ({ kind: "grouped", bits: 4, group: 32, zero: "none", scales: "F16", ...change }) as NumberFormat;

/** The Mixtral of the fixtures with plain weights, and the matrices whose names begin so in these formats. */
async function planned(formats: Record<string, NumberFormat>, from = "quantised/ct-nvfp4a16") {
  const opened = await openModel(fixture(from));
  const plan: Plan = { version: 2, for: await opened.model.weights.fingerprint(), method: "test", options: {},
    layers: {},
    weights: Object.fromEntries(
      Object.entries(formats).map(
        ([name, format]) => [name, { format,
          fit: format.kind === "sparse" ? { by: "magnitude", options: { of: [2, 4] } } : { by: "nearest" } }]
      ),
    ) };
  return { opened, model: await applyPlan(opened.model, plan) };
}

const save = (
  { opened, model }: { opened: OpenedModel; model: Awaited<ReturnType<typeof applyPlan>> },
  options: Partial<SaveOptions> = {},
) =>
  saveModel(join(folder, "out"), model, { config: opened.config, family: opened.family, original: opened.store,
    ...options });

/** Every weight of the folder reads as the model's, bit by bit, and packed ones in the same format. */
async function reads(
  { opened, model }: { opened: OpenedModel; model: Awaited<ReturnType<typeof applyPlan>> },
  isPacked: (name: string) => boolean,
): Promise<OpenedModel> {
  const again = await openModel(join(folder, "out"));
  for (const { name } of expectedTensors(model.spec)) {
    const theirs = await again.model.weights.values(name), whole = await model.weights.values(name);
    // what stays plain is written in the configuration's float16
    const ours = isPacked(name) ? whole : decode(encode(whole, "F16"), "F16");
    const off = theirs.findIndex((value, at) => value !== ours[at]);
    assert.is(off, -1, `${name}: ${theirs[off]} for ${ours[off]}`);
    assert.is(again.model.weights.info(name).format !== undefined, isPacked(name), name);
  }
  await opened.model.dispose();
  return again;
}

test("moelab: every number format is kept, and what is on disk is what was said", async () => {
  const formats: Record<string, NumberFormat> = {
    "layers.0.experts.0.": grouped({ bits: 3, zero: "integer" }),
    "layers.0.experts.1.": grouped({ bits: 5, group: 0, zero: "real", scales: "F32" }),
    "layers.0.experts.2.": grouped({ bits: 1 }),
    "layers.1.experts.0.": { kind: "nf4", block: 64 },
    "layers.1.experts.1.": { kind: "mxfp4" },
    "layers.1.experts.2.": { kind: "nvfp4" },
    "layers.1.attention.q": { kind: "fp8-blocks", rows: 1, columns: 0, codes: "F8_E4M3" },
    "layers.1.attention.k": grouped({ bits: 8, group: 16, scales: "BF16" }),
  };
  const at = await planned(formats);
  const saved = await save(at);
  const isPacked = (name: string) => Object.keys(formats).some((begin) => name.startsWith(begin));
  const said = expectedTensors(at.model.spec).reduce(
    (sum, { name, shape }) =>
      sum + (isPacked(name) ? at.model.weights.info(name).sizeBytes : 2 * shape.reduce((a, b) => a * b, 1)),
    0,
  );
  const again = await reads(at, isPacked);
  // beside the parts, each packed weight has its shape: two numbers of eight bytes
  const packed = expectedTensors(at.model.spec).filter(({ name }) => isPacked(name)).length;
  assert.is(packed, 20);
  assert.is(saved.layouts.moelab, said + 16 * packed);
  assert.ok(statSync(join(folder, "out/model.safetensors")).size - saved.layouts.moelab! < 16_000, "the header alone");
  // again: codes are moved, not made anew
  const twice = join(folder, "twice");
  await saveModel(twice, again.model, { config: again.config, family: again.family, original: again.store });
  assert.ok(readFileSync(join(twice, "model.safetensors")).equals(readFileSync(join(folder, "out/model.safetensors"))));
  const plain = join(folder, "plain");
  await saveModel(plain, again.model, { config: again.config, family: again.family, original: again.store,
    format: "plain" });
  const store = await openTensors(plain);
  assert.is(store.info("model.layers.0.block_sparse_moe.experts.0.w1.weight").dtype, "F16");
  await store.close();
  await again.model.dispose();
});

test("compressed-tensors: widths that differ by module, symmetric, with zeros, a scale per row, 2:4", async () => {
  const at = await planned({ "layers.0.experts.": grouped(), "layers.1.experts.": grouped({ bits: 8, group: 0 }),
    "layers.1.experts.1.": grouped({ zero: "integer" }), "layers.0.attention.q": grouped({ bits: 3 }),
    "layers.0.attention.k": { kind: "sparse", of: [2, 4], values: "F16" } as NumberFormat });
  await save(at, { format: "compressed-tensors" });
  const { quantization_config: said } = JSON.parse(readFileSync(join(folder, "out/config.json"), "utf8"));
  assert.is(Object.keys(said.config_groups).length, 4);
  assert.ok(said.ignore.includes("lm_head") && said.ignore.includes("model.layers.0.block_sparse_moe.gate"));
  const again = await reads(at, (name) => /experts|0\.attention\.[qk]$/.test(name));
  await again.model.dispose();
});

for (const name of ["gptq-v1-4bit-act-order", "gptq-v2-4bit-asym-act-order", "gptq-v1-3bit", "ct-w4a16-asym"]) {
  test(`gptq: what was read from ${name} keeps its codes`, async () => {
    const at = await planned({}, `quantised/${name}`);
    await save(at, { format: "gptq" });
    const again = await reads(at, (weight) => /experts|\.attention\.[qkvo]$/.test(weight));
    const [before, after] = [await openTensors(fixture(`quantised/${name}`)), await openTensors(join(folder, "out"))];
    for (const tensor of after.names()) {
      if (!/(qweight|scales|g_idx)$/.test(tensor) || !before.has(tensor)) continue;
      assert.equal(await after.bytes(tensor), await before.bytes(tensor), tensor);
    }
    await Promise.all([before.close(), after.close(), again.model.dispose()]);
  });
}

test("gptq: symmetric weights as version 1, widths by module", async () => {
  const at = await planned({ "layers.0.experts.": grouped(), "layers.1.experts.": grouped({ bits: 2 }) });
  await save(at, { format: "gptq" });
  const { quantization_config: said } = JSON.parse(readFileSync(join(folder, "out/config.json"), "utf8"));
  assert.equal([said.checkpoint_format, said.bits, said.group_size, said.sym], ["gptq", 4, 32, true]);
  assert.equal(said.dynamic["+:^model\\.layers\\.1\\.block_sparse_moe\\.experts\\.0\\.w1$"], { bits: 2,
    group_size: 32 });
  assert.equal(said.dynamic["-:^model\\.layers\\.0\\.self_attn\\.q_proj$"], {});
  const again = await reads(at, (name) => name.includes("experts"));
  await again.model.dispose();
});

test("what a format cannot hold is refused with the weight's name and the formats that can", async () => {
  const at = await planned({ "layers.1.experts.2.": { kind: "nf4", block: 64 } });
  const said = async (options: Partial<SaveOptions>) => (await rejects(save(at, options))).message;
  assert.match(await said({ format: "gptq" }),
    /model\.layers\.1\.block_sparse_moe\.experts\.2\.w1\.weight \[96,64\] is .*nf4.*accepted for it are moelab, plain/);
  assert.match(await said({ format: "awq" as "gptq" }),
    /format is "awq".*Accepted: plain, moelab, compressed-tensors, gptq/);
  const plain = await planned({});
  assert.match((await rejects(save(plain, { format: "gptq" }))).message, /no weight is packed, and format is "gptq"/);
  await Promise.all([at.opened.model.dispose(), plain.opened.model.dispose()]);
});

test("a folder whose formats were changed is refused with the weight's name", async () => {
  const at = await planned({ "layers.1.experts.2.": grouped(), "layers.1.experts.1.": { kind: "nf4", block: 64 } });
  await save(at);
  const file = join(folder, "out/config.json"), config = JSON.parse(readFileSync(file, "utf8"));
  for (const [format, message] of [[{ kind: "sparse", of: 5, values: "F16" }, /moelab\.formats says .*"of":5/], [{
    kind: "grouped",
    bits: 40,
    group: 32,
    zero: "none",
    scales: "F16",
  }, /bits are 40; accepted is 1 to 8/], [{ kind: "nf4", block: 32 }, /accepted is (U8|F32) \[(3072|192)\]/], [{
    kind: "nf5",
  }, /the kind is "nf5"/]] as const) {
    writeFileSync(file, JSON.stringify({ ...config, moelab: { ...config.moelab, formats: { "": format } } }));
    const said = (await rejects(openModel(join(folder, "out")))).message;
    assert.match(said, message);
    assert.match(said, /^load: model\.layers\.1\.block_sparse_moe\.experts\.[12]\.w\d\.weight/);
  }
  await at.opened.model.dispose();
});

test.run();
