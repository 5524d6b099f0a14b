// Writes the tokenizer of the bundled models from the installed corpora: node --import tsx
// data/tasks/build-tokenizer.ts
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { taskTokenizer } from "../../sdk/text/task-tokenizer.js";

const folder = fileURLToPath(new URL("../models/nano-switch/", import.meta.url));
mkdirSync(folder, { recursive: true });
const config = {
  tokenizer_class: "PreTrainedTokenizerFast",
  pad_token: "<pad>",
  eos_token: "</s>",
  unk_token: "<unk>",
  model_max_length: 512,
  clean_up_tokenization_spaces: false,
};
writeFileSync(`${folder}tokenizer.json`, `${JSON.stringify(await taskTokenizer(), null, 1)}\n`);
writeFileSync(`${folder}tokenizer_config.json`, `${JSON.stringify(config, null, 2)}\n`);
