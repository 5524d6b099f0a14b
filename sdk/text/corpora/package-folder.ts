import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { MoeError } from "../../errors.js";

/**
 * Finds the folder of an installed npm package, first as this library sees it, then as the working folder sees it.
 * Looks at folders alone, because some packages do not export their package.json.
 *
 * @throws MoeError `missing-package`, naming the command that installs it
 */
export function packageFolder(name: string): string {
  for (const from of [import.meta.url, join(process.cwd(), "index.js")]) {
    for (const modules of createRequire(from).resolve.paths(name) ?? []) {
      if (existsSync(join(modules, name, "package.json"))) return join(modules, name);
    }
  }
  throw new MoeError("missing-package",
    `read corpus: the package ${name} is not installed; its data is read at run time. Run: npm install ${name}`);
}
