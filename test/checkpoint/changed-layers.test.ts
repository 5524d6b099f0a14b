import { suite } from "uvu";
import * as assert from "uvu/assert";
import { changesOf, withChanges } from "../../sdk/checkpoint/changed-layers.js";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import type { FormatError } from "../../sdk/errors.js";
import type { MoeFfnSpec } from "../../sdk/model/spec.js";

const test = suite("changed layers in config.json");
const base = await specFromConfig({ model_type: "mixtral", vocab_size: 16, hidden_size: 16, intermediate_size: 24,
  num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 2, num_local_experts: 4, num_experts_per_tok: 2,
  max_position_embeddings: 32, rms_norm_eps: 1e-5, rope_theta: 1e4 });
const slots = [{ form: "dense" as const, width: 24 }, { form: "zero" as const, width: 24 }];

test("any change of a layer is written and read", () => {
  const changed = structuredClone(base);
  const [first, second] = changed.decoder.layers;
  delete first.attention;
  Object.assign(first.ffn!, { experts: 3, expertOf: [1, -1, 0], slots });
  (first.ffn as MoeFfnSpec).router.scale = 2.5; // had no word in version 1
  second.normPlace = "after";
  const stored = JSON.parse(JSON.stringify(changesOf(changed, base)));
  assert.is(stored.version, 2);
  assert.equal(withChanges(base, stored), changed);
  assert.is(changesOf(base, base), undefined);
});

test("a folder of version 1 opens as it was", () => {
  const spec = withChanges(base, { version: 1, layers: {
    "layers.0": { slots, expertOf: [1, -1, 0], masked: [1], topK: 1, skipBelow: 0.5, combine: true },
    "layers.1": { dropped: ["ffn"] },
  } });
  const ffn = spec.decoder.layers[0].ffn as MoeFfnSpec;
  assert.equal([ffn.experts, ffn.expertOf, ffn.slots], [3, [1, -1, 0], slots]);
  const { masked, topK, skipBelow, combine, scale } = ffn.router;
  assert.equal([masked, topK, skipBelow, combine, scale], [[1], 1, 0.5, true, 1]);
  assert.is(spec.decoder.layers[1].ffn, undefined);
  assert.ok(spec.decoder.layers[1].attention);
});

for (const [what, stored, message] of [["a version of later", { version: 3, layers: {} },
  /version is 3; accepted is 2/], ["a layer that is not there", { version: 2, layers: { "layers.7": {} } },
  /layers\.7 is no layer/], ["an expert that is not stored", { version: 2,
  layers: { "layers.0": { ffn: { expertOf: [0, 1, 2, 9] } } } }, /layers\.0: ffn .*expertOf names stored experts/], [
  "more choices than experts",
  { version: 1, layers: { "layers.0": { slots, expertOf: [0, 1], topK: 3 } } },
  /topK is at most/,
], ["a word of no spec", { version: 2, layers: { "layers.0": { ffn: { experst: 3 } } } }, /experst/]] as const) {
  test(`${what} is refused`, () => {
    try {
      withChanges(base, structuredClone(stored));
      assert.unreachable();
    } catch (error) {
      assert.is((error as FormatError).code, "bad-changes");
      assert.match((error as FormatError).message, message);
    }
  });
}

test.run();
