import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withoutBareWords } from "../../sdk/checkpoint/config-text.js";
import { familyOf, listFamilies, specFromConfig } from "../../sdk/checkpoint/family.js";
import { explainer } from "../../sdk/checkpoint/name-map.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { cost } from "../../sdk/model/cost.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { fixture } from "../support/shared.js";

const configOf = (name: string, file = "config.json") =>
  JSON.parse(withoutBareWords(readFileSync(fixture(`models/${name}/${file}`), "utf8")));
const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

for (const name of readdirSync(fixture("models"))) {
  test(`${name}: both forms of the configuration give one spec`, async () => {
    assert.equal(await specFromConfig(configOf(name, "config.v5.json")), await specFromConfig(configOf(name)));
  });

  test(`${name}: cost counts every weight once`, async () => {
    const spec = await specFromConfig(configOf(name));
    const expected = expectedTensors(spec);
    assert.is(new Set(expected.map((tensor) => tensor.name)).size, expected.length, "each name once");
    const total = expected.reduce((sum, { shape }) => sum + size(shape), 0);
    assert.is(cost(spec).parameters.total, total);
    const store = await openTensors(fixture(`models/${name}`));
    const buffers = /^h\.\d+\.attn\.bias$|slope_rate|_decay$/, explained = explainer(spec, familyOf(configOf(name)));
    assert.is(total, [...store.names()].filter((tensor) =>
      !buffers.test(tensor) && explained(tensor) !== "unused"
    ).reduce((sum, tensor) => sum + size(store.info(tensor).shape), 0), "numbers on disk");
    await store.close();
  });
}

test("every family names each weight that its kinds of block may ask for", async () => {
  for (const family of listFamilies()) {
    for (const [pattern, names] of Object.entries(family.names)) {
      for (const entry of [names].flat()) {
        const name = typeof entry === "string" ? entry : entry.name;
        assert.is(/\{l\}/.test(name), /\{l\}/.test(pattern), `${family.family}: ${pattern}`);
      }
    }
  }
});

test("an unknown multi-modal model_type says what its language model is", () => {
  const config = { model_type: "no-such", text_config: { num_hidden_layers: 4, num_experts: 8 } };
  assert.throws(() => familyOf(config), /recognised is text_config.num_hidden_layers 4, text_config.num_experts 8;/);
});

test("an unknown model_type says what was recognised and what to write", () => {
  assert.throws(() => familyOf({ model_type: "no-such", num_experts: 8 }),
    (error: Error) =>
      /num_experts 8/.test(error.message) && /mixtral/.test(error.message) && /names/.test(error.message));
});

test.run();
