import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

/**
 * Reads the declaration files that come with TypeScript as code text, one document a file, licence header left out.
 * Source: `typescript`, Apache-2.0.
 */
export const typescriptLib = once((): Document<{ file: string }>[] => {
  const folder = join(packageFolder("typescript"), "lib");
  return readdirSync(folder).filter((file) => /^lib\..*\.d\.ts$/.test(file)).sort().map((file) => ({ id: file,
    text: readFileSync(join(folder, file), "utf8").replace(/^\/\*![\s\S]*?\*\//, "").trim(), fields: { file } })
  );
});
