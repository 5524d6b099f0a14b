import { test } from "uvu";
import { sameAsTransformers } from "../support/same-as-transformers.js";

// made by .ci/fixture-models.py
sameAsTransformers(["mellum", "qwen3_vl_moe", "exaone_moe", "hy_v3", "granitemoe_swa", "glm4v_moe", "qwen3_5_moe",
  "qwen3_5_moe_text", "granitemoehybrid", "granitemoehybrid_dense", "nemotron_h"]);

test.run();
