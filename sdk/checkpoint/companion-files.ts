import { copyFile, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A folder of them, as transformers writes it; every other one lies beside config.json. */
const TEMPLATES = "additional_chat_templates";
const KEPT = new RegExp(
  "^((tokenizer.*|added_tokens|special_tokens_map|vocab|merges|spiece|sentencepiece.*|generation_config|chat_template"
    + `|preprocessor_config)\\.(json|txt|model|jinja)|(LICENSE|NOTICE).*|${TEMPLATES}/[^/]+\\.jinja)$`,
);

/** Copies tokenizer, templates, generation settings and licence; pipes, devices and broken links are passed over. */
export async function copyCompanions(from: string, to: string): Promise<void> {
  for (const name of (await namesIn(from)).filter((each) => KEPT.test(each))) {
    if (!(await stat(join(from, name)).catch(() => undefined))?.isFile()) continue;
    await mkdir(dirname(join(to, name)), { recursive: true });
    await copyFile(join(from, name), join(to, name));
  }
}

/** Names in a folder of a model, the templates' with that of their folder. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  if (!names.includes(TEMPLATES)) return names;
  const templates = await readdir(join(folder, TEMPLATES)).catch(() => undefined); // then it is a file
  return templates
    ? [...names.filter((name) => name !== TEMPLATES), ...templates.map((name) => `${TEMPLATES}/${name}`)]
    : names;
}
