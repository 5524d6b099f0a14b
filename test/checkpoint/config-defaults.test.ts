import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withDefaults } from "../../sdk/checkpoint/config-defaults.js";
import { withoutBareWords } from "../../sdk/checkpoint/config-text.js";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import type { ModelSpec } from "../../sdk/model/spec.js";
import { logitsAsReported } from "../support/altered-fixture.js";
import { fixture } from "../support/shared.js";

type Config = Record<string, unknown>;
const json = (path: string) => JSON.parse(withoutBareWords(readFileSync(fixture(path), "utf8")));
const outcome = (config: Config): Promise<ModelSpec | string> =>
  specFromConfig(config).catch((error: { code?: string }) => error.code ?? String(error));

test("config-absent-rope-theta of the reports: the class's own base of rotary positions", async () => {
  const opened = await openModel(fixture("reports/config-absent-rope-theta"));
  await logitsAsReported("config-absent-rope-theta", opened);
  await opened.model.dispose();
});

// made by .ci/config-defaults.py --absent: what transformers' configuration changes when a key is taken out
const absent = json("absent-keys.json") as Record<string, Record<string, Config>>;
for (const [name, keys] of Object.entries(absent)) {
  test(`${name}: a key that is absent is what transformers makes of it`, async () => {
    const config = json(`models/${name}/config.json`) as Config;
    const complete = json(`models/${name}/config.v5.json`) as Config;
    let compared = 0;
    for (const [key, changed] of Object.entries(keys)) {
      // attn_config: transformers reads the base of rotary positions beside it, moelab in it too; ffn_config: sizes
      if (/^(attn|ffn)_config$/.test(key)) continue;
      const without = structuredClone(config);
      const path = key.split(".");
      delete path.slice(0, -1).reduce((object, part) => object[part] as Config, without)[path.at(-1)!];
      assert.equal(await outcome(without), await outcome({ ...complete, ...changed }), `${name} without ${key}`);
      compared++;
    }
    assert.ok(compared > 5);
  });
}

test("a key that is null was said, and a class's other name for a key counts", () => {
  assert.is(withDefaults({ model_type: "gpt_oss" }).sliding_window, 128);
  assert.is(withDefaults({ model_type: "gpt_oss", sliding_window: null }).sliding_window, null);
  assert.is(withDefaults({ model_type: "ernie4_5_moe", num_experts_per_tok: 3 }).moe_k, 3);
  assert.is(withDefaults({ model_type: "ernie4_5_moe", num_experts_per_tok: 3, moe_k: 2 }).moe_k, 2);
  assert.equal(withDefaults({ model_type: "dbrx", attn_config: { clip_qkv: 8 } }).attn_config, { kv_n_heads: 1,
    clip_qkv: 8 });
  assert.equal(withDefaults({ model_type: "__proto__", a: 1 }), { model_type: "__proto__", a: 1 });
});

test.run();
