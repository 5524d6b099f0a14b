import { test } from "uvu";
import * as assert from "uvu/assert";
import { logitsAsIn, type Stored, withAltered } from "../support/altered-fixture.js";
import { rejects } from "../support/rejects.js";

/**
 * A fixture under other tensor names and with other tensors beside, as some published checkpoints have it; its logits
 * must not change.
 */
function stillEqual(
  name: string,
  rename: (tensor: string) => string,
  extra: Stored[] = [],
  reconfigure?: (config: object) => object,
): Promise<void> {
  return withAltered(name, (all) => [...extra, ...all.map((each) => ({ ...each, name: rename(each.name) }))],
    (opened) => logitsAsIn(name, opened), reconfigure);
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
