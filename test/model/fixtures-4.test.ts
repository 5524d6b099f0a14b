import { test } from "uvu";
import * as assert from "uvu/assert";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { readConfig } from "../../sdk/checkpoint/read-config.js";
import { Model } from "../../sdk/model/model.js";
import { rejects } from "../support/rejects.js";
import { sameAsTransformers } from "../support/same-as-transformers.js";
import { fixture } from "../support/shared.js";

// made by .ci/fixture-models.py
sameAsTransformers(["mellum", "qwen3_vl_moe", "exaone_moe", "hy_v3", "granitemoe_swa", "glm4v_moe", "qwen3_5_moe",
  "qwen3_5_moe_text", "granitemoehybrid", "granitemoehybrid_dense", "nemotron_h", "deepseek_v32", "glm_moe_dsa",
  "flint", "aria", "qwen3_omni_moe_thinker", "mistral4"]);

test("a text longer than what a sparse index chooses is refused", async () => {
  const spec = await specFromConfig({ ...await readConfig(fixture("models/deepseek_v32")), index_topk: 6 });
  const opened = await openModel(fixture("models/deepseek_v32"));
  const model = new Model("short", spec, opened.model.weights);
  const { dispose } = await model.forward({ ids: [[1, 2, 3, 4, 5, 6]] });
  dispose();
  const error = await rejects(model.forward({ ids: [[1, 2, 3, 4, 5, 6, 7]] }));
  assert.is((error as { code?: string }).code, "too-many-tokens");
  assert.match(error.message, /a text has 7 tokens, and from 7 on/);
  assert.match((await rejects(model.generate({ ids: [[1, 2, 3, 4, 5]] }, { maxTokens: 3, stop: [] }))).message,
    /a text has 7 tokens/);
  await model.dispose();
  await opened.model.dispose();
});

test.run();
