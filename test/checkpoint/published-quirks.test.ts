import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { reference, tensorClose } from "../support/reference.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

type Stored = { name: string; shape: number[]; values: Float32Array };

/**
 * A fixture under other tensor names and with other tensors beside, as some published checkpoints have it; its logits
 * must not change.
 */
async function stillEqual(name: string, rename: (tensor: string) => string, extra: Stored[] = [],
  reconfigure: (config: object) => object = (config) => config): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "moelab-quirk-"));
  try {
    const store = await openTensors(fixture(`models/${name}`));
    const all: Stored[] = [...extra];
    for (const tensor of store.names())
      all.push({ name: rename(tensor), shape: store.info(tensor).shape, values: await store.values(tensor) });
    await store.close();
    async function* data() {
      for (const { name: tensor, values } of all)
        yield { name: tensor, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
    }
    await writeTensors(join(folder, "model.safetensors"),
      all.map(({ name: tensor, shape }) => ({ name: tensor, shape, dtype: "F32" as const })), data());
    const config = JSON.parse(await readFile(fixture(`models/${name}/config.json`), "utf8"));
    await writeFile(join(folder, "config.json"), JSON.stringify(reconfigure(config)));
    const { model } = await openModel(folder);
    const expected = await reference(fixture(`models/${name}`));
    const tokenTypes = expected.has("single.token_type_ids") ? await expected.rows("single.token_type_ids") : undefined;
    const forward = await model.forward({ ids: await expected.rows("single.input_ids"), tokenTypes });
    await tensorClose(forward.logits, await expected.values("single.logits"), `${name} logits`);
    forward.dispose();
    await model.dispose();
    await expected.close();
  } finally {
    await rm(folder, { recursive: true });
  }
}

const small = (name: string): Stored => ({ name, shape: [2, 2], values: new Float32Array(4) });

test("gpt2 with the prefix that transformers writes", () => stillEqual("gpt2", (name) => `transformer.${name}`));
test("opt as published, without model. in front", () => stillEqual("opt", (name) => name.replace(/^model\./, "")));
test("llama 4 with vision tower, prefix and text_config", () =>
  stillEqual("llama4_text", (name) => `language_model.${name}`, [small("vision_model.layers.0.weight"),
    small("multi_modal_projector.linear_1.weight")], (config) => ({ model_type: "llama4", text_config: config })));
test("deepseek-v3 with a layer for multi-token prediction", () =>
  stillEqual("deepseek_v3", (name) => name, [small("model.layers.3.eh_proj.weight")]));
test("bert with pooler and today's names of norms", () =>
  stillEqual("bert", (name) => name.replace("gamma", "weight").replace("beta", "bias"), [
    small("bert.pooler.dense.weight"),
  ]));

test("a layer before the last that nobody asks for is refused by name", async () => {
  const error = await rejects(stillEqual("deepseek_v3", (name) => name, [small("model.layers.2.eh_proj.weight")]));
  assert.match(error.message, /model\.layers\.2\.eh_proj\.weight/);
});

test.run();
