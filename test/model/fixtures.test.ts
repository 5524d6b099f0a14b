import { test } from "uvu";
import { sameAsTransformers } from "../support/same-as-transformers.js";

sameAsTransformers(["switch_transformers", "mixtral", "mixtral_sharded", "olmoe", "olmoe_bf16", "qwen2_moe",
  "qwen3_moe", "granitemoe", "gpt_oss", "phimoe", "dbrx"]);

test.run();
