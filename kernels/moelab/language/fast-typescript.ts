import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import type TypeScript from "typescript";

// TypeScript's checker is one function of 50,000 lines, called once for a cell: after some 500 cells V8 would optimise
// it, which
// takes 140 MB that do not come back, and gains nothing
setFlagsFromString("--max-optimized-bytecode-size=25000");

const require = createRequire(import.meta.url);
const filename = require.resolve("typescript");
const { version } = require("typescript/package.json") as { version: string };
const cacheFile = join(dirname(fileURLToPath(import.meta.url)),
  `typescript-${version}-node-${process.version}-${process.arch}.cache`);
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, "utf8")}\n})`,
  { filename, cachedData: read(cacheFile) },
);
const module = { exports: {} as typeof TypeScript };
script.runInThisContext()(module.exports, createRequire(filename), module, filename, dirname(filename));

/**
 * TypeScript, loaded with the code that V8 has compiled for an earlier kernel, which lies beside the kernel's own.
 * The build puts this file in place of the package. Imported as usual it takes three times as long even without that
 * code:
 * Node reads its nine megabytes for what they export, then for their kind, then compiles them.
 */
export default module.exports;

/** Keeps what V8 has compiled by now for the next start, unless it was there already. */
export function keepCompiled(): void {
  if (script.cachedDataRejected === false) return;
  try {
    writeFileSync(`${cacheFile}.${process.pid}`, script.createCachedData());
    renameSync(`${cacheFile}.${process.pid}`, cacheFile);
  } catch {
    // an installation that may not be written to starts without
  }
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
