import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";

const STRICTNESS = ["strict", "noImplicitAny", "strictNullChecks", "strictFunctionTypes", "strictPropertyInitialization", "useUnknownInCatchVariables", "noUncheckedIndexedAccess", "exactOptionalPropertyTypes"] as const;

/**
 * How cells are checked and compiled. A `tsconfig.json` beside the notebook sets how strictly; nothing else is taken from it.
 *
 * @param folder the notebook's
 * @param home folder of the moelab package, which brings Node's types
 */
export function compilerOptions(folder: string, home: string): ts.CompilerOptions {
  const nodeTypes = dirname(dirname(createRequire(join(home, "package.json")).resolve("@types/node/package.json")));
  return {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    customConditions: ["node"],
    // decorators and `using` are lowered; everything up to ES2024 runs as it is written
    target: ts.ScriptTarget.ES2024,
    lib: libraries(),
    types: ["node"],
    typeRoots: [join(folder, "node_modules/@types"), nodeTypes],
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

/** Only what the running Node has: a method that is missing should be a type error, not a surprise. */
function libraries(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  return major >= 22
    ? ["lib.esnext.d.ts"]
    : ["lib.es2023.d.ts", "lib.es2024.arraybuffer.d.ts", "lib.es2024.regexp.d.ts", "lib.es2024.sharedmemory.d.ts", "lib.es2024.string.d.ts", "lib.esnext.disposable.d.ts", "lib.esnext.decorators.d.ts"];
}

function strictness(folder: string): ts.CompilerOptions {
  const file = join(folder, "tsconfig.json");
  if (!existsSync(file)) return {};
  const options = ts.parseConfigFileTextToJson(file, readFileSync(file, "utf8")).config?.compilerOptions ?? {};
  return Object.fromEntries(STRICTNESS.filter((name) => typeof options[name] === "boolean").map((name) => [name, options[name]]));
}
