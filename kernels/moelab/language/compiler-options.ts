import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { projectOptions } from "../project-options.js";

/**
 * How cells are checked and compiled, by what a `tsconfig.json` beside the notebook says about it.
 *
 * @param folder the notebook's
 * @param home folder of the moelab package, which brings Node's types
 * @returns also what of the project's options is not taken, in a line for the user
 */
export function compilerOptions(folder: string, home: string): { options: ts.CompilerOptions; note?: string } {
  const project = projectOptions(ts, folder);
  const types = (project.options.types ?? []).filter((name) => name !== "node");
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    customConditions: ["node"],
    // decorators and `using` are lowered; everything up to ES2024 runs as it is written
    target: ts.ScriptTarget.ES2024,
    typeRoots: [join(folder, "node_modules/@types"), dirname(nodeTypesFolder(home))],
    allowImportingTsExtensions: true,
    allowJs: true,
    checkJs: false,
    maxNodeModuleJsDepth: 0,
    esModuleInterop: true,
    resolveJsonModule: true,
    skipLibCheck: true,
    preserveConstEnums: true,
    sourceMap: true,
    noImplicitAny: false,
    strict: false,
    ...project.options,
    types: hasNodeTypes(folder, home) ? ["node", ...types] : types,
  };
  return { options, note: project.note };
}

/** Whether a notebook has types of Node that are not moelab's: they are preferred. */
export function hasNodeTypes(folder: string, home: string): boolean {
  const own = join(folder, "node_modules/@types/node");
  return existsSync(own) && realpathSync(own) !== realpathSync(nodeTypesFolder(home));
}

function nodeTypesFolder(home: string): string {
  return dirname(createRequire(join(home, "package.json")).resolve("@types/node/package.json"));
}

/** What came after ES2023, by TypeScript's file for it, and whether the running Node has it. */
const LATER: [name: string, isThere: boolean][] = [
  ["es2024.arraybuffer", "transfer" in ArrayBuffer.prototype],
  ["es2024.collection", "groupBy" in Map],
  ["es2024.object", "groupBy" in Object],
  ["es2024.promise", "withResolvers" in Promise],
  ["es2024.regexp", true],
  ["es2024.sharedmemory", true], // a snapshot is written without Atomics
  ["es2024.string", "isWellFormed" in String.prototype],
  ["esnext.array", "fromAsync" in Array],
  ["esnext.collection", "union" in Set.prototype],
  ["esnext.decorators", true],
  ["esnext.disposable", "DisposableStack" in globalThis], // Symbol.dispose alone comes with Node's types
  ["esnext.error", "isError" in Error],
  ["esnext.float16", "Float16Array" in globalThis],
  ["esnext.intl", "DurationFormat" in Intl],
  ["esnext.iterator", "Iterator" in globalThis],
  ["esnext.promise", "try" in Promise],
];

/** Only what the running Node has: a method that is missing should be a type error, not a surprise. */
export function libraries(): string[] {
  return ["lib.es2023.d.ts", ...LATER.filter(([, isThere]) => isThere).map(([name]) => `lib.${name}.d.ts`)];
}
