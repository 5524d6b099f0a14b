import { test } from "uvu";
import { sameAsTransformers } from "../support/same-as-transformers.js";

sameAsTransformers(["deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "glm4_moe", "dots1", "llama4_text",
  "ernie4_5_moe", "hunyuan_v1_moe", "nllb_moe", "t5"]);

test.run();
