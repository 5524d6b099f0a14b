import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

let root: string | undefined;

/** Absolute path of a file that the package carries (`data/…`, `notebooks/…`), from source or from the build. */
export function packageFile(path: string): string {
  if (!root) {
    root = dirname(fileURLToPath(import.meta.url));
    while (!existsSync(join(root, "package.json"))) root = dirname(root);
  }
  return join(root, path);
}
