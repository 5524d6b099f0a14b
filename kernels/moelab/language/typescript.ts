import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type TypeScript from "typescript";

const filename = createRequire(__filename).resolve("typescript");
const module = { exports: {} as typeof TypeScript };
const run = new Function("exports", "require", "module", "__filename", "__dirname", readFileSync(filename, "utf8"));
run(module.exports, require, module, filename, dirname(filename));

/**
 * TypeScript, evaluated here, so that it can be part of a snapshot (see `snapshot.ts`). The build puts this file in place
 * of the package.
 */
export default module.exports;
