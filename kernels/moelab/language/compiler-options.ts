import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";

const STRICTNESS = ["strict", "noImplicitAny", "strictNullChecks", "strictFunctionTypes",
  "strictPropertyInitialization", "useUnknownInCatchVariables", "noUncheckedIndexedAccess",
  "exactOptionalPropertyTypes"] as const;

/**
 * How cells are checked and compiled. A `tsconfig.json` beside the notebook sets how strictly; nothing else is taken
 * from it.
 *
 * @param folder the notebook's
 * @param home folder of the moelab package, which brings Node's types
 */
export function compilerOptions(folder: string, home: string): ts.CompilerOptions {
  return {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    customConditions: ["node"],
    // decorators and `using` are lowered; everything up to ES2024 runs as it is written
    target: ts.ScriptTarget.ES2024,
    types: hasNodeTypes(folder, home) ? ["node"] : [],
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
    ...strictness(folder),
  };
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

function strictness(folder: string): ts.CompilerOptions {
  const file = join(folder, "tsconfig.json");
  if (!existsSync(file)) return {};
  const options = ts.parseConfigFileTextToJson(file, readFileSync(file, "utf8")).config?.compilerOptions ?? {};
  return Object.fromEntries(
    STRICTNESS.filter((name) => typeof options[name] === "boolean").map((name) => [name, options[name]]),
  );
}
