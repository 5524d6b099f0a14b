// Node's module loader, extended (it runs these hooks in a thread of their own): local TypeScript, files that changed,
// and
// moelab for notebooks that lie where it is not installed.
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createRequire, type InitializeHook, type LoadHook, type ResolveHook } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { MessagePort } from "node:worker_threads";
import type TypeScript from "typescript";
import { borrowedPackages } from "../borrowed-packages.js";

let home = "";
let port: MessagePort;
let isBorrowed: (specifier: string) => boolean;
let typescript: typeof TypeScript | undefined;

export const initialize: InitializeHook<{ port: MessagePort; home: string }> = (data) => {
  ({ home, port } = data);
  isBorrowed = borrowedPackages(home);
};

export const resolve: ResolveHook = async (specifier, context, next) => {
  if (/^(\.\.?\/|\/|file:)/.test(specifier)) {
    const file = localFile(new URL(specifier, context.parentURL).href);
    if (file === undefined || isForeign(file)) return next(specifier, context);
    const url = `${pathToFileURL(file).href}?v=${versionOf(file)}`;
    if (/\.json$/.test(file)) return { url, format: "json", importAttributes: { type: "json" }, shortCircuit: true };
    return /\.[mc]?tsx?$/.test(file) ? { url, format: formatOf(file), shortCircuit: true } : next(url, context);
  }
  try {
    return await next(specifier, context);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND" || !isBorrowed(specifier)) throw error;
    return next(specifier, { ...context, parentURL: pathToFileURL(join(home, "package.json")).href });
  }
};

export const load: LoadHook = async (url, context, next) => {
  const file = url.startsWith("file:") ? fileURLToPath(url.split("?")[0]!) : "";
  if (/\.[jt]sx$/.test(file))
    throw new SyntaxError(
      `import: ${file} holds JSX; accepted are .ts, .mts, .js, .mjs, .cjs and .json. Move what the `
        + "notebook needs into one of these.",
    );
  if (!/\.[mc]?ts$/.test(file) || isForeign(file)) return next(url, context);
  const ts = loadTypeScript();
  const { outputText, sourceMapText } = ts.transpileModule(readFileSync(file, "utf8"), {
    fileName: file,
    compilerOptions: { module: file.endsWith(".cts") ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022, sourceMap: true },
  });
  port.postMessage({ url, map: sourceMapText });
  return { format: formatOf(file), shortCircuit: true, source: outputText };
};

function formatOf(file: string): "module" | "commonjs" {
  return file.endsWith(".cts") ? "commonjs" : "module";
}

/** `./x` and `./x.js` may mean x.ts, as they do in TypeScript. */
function localFile(url: string): string | undefined {
  const path = fileURLToPath(url.split("?")[0]!);
  const sibling = path.replace(/\.([mc]?)js$/, ".$1ts");
  return [path, sibling, `${path}.ts`, `${path}.mts`, `${path}.js`, `${path}.mjs`, join(path, "index.ts"),
    join(path, "index.js")].find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Installed packages, and moelab itself, do not change while a notebook runs. */
function isForeign(file: string): boolean {
  return file.includes("/node_modules/") || file.startsWith(join(home, "dist"));
}

const imports = new Map<string, { modified: number; files: string[] }>();

/** Changes when the file, or any local file that it imports, changes: a module is loaded once for each version. */
function versionOf(file: string): string {
  const seen = new Set<string>();
  const visit = (current: string) => {
    if (seen.has(current) || isForeign(current)) return;
    seen.add(current);
    for (const imported of importsOf(current)) visit(imported);
  };
  visit(file);
  const hash = createHash("sha1");
  for (const each of [...seen].sort()) hash.update(`${each}\0${statSync(each).mtimeMs}\0`);
  return hash.digest("hex").slice(0, 12);
}

function importsOf(file: string): string[] {
  if (!/\.[mc]?[jt]s$/.test(file)) return [];
  const modified = statSync(file).mtimeMs;
  const known = imports.get(file);
  if (known?.modified === modified) return known.files;
  const { importedFiles } = loadTypeScript().preProcessFile(readFileSync(file, "utf8"), true, true);
  const files = importedFiles.map(
    ({ fileName }) => (/^\.\.?\//.test(fileName) ? localFile(new URL(fileName, pathToFileURL(file)).href) : undefined)
  ).filter((found) => found !== undefined);
  imports.set(file, { modified, files });
  return files;
}

/** Loaded when the first local module asks for it: it takes a fifth of a second and some 60 MB. */
function loadTypeScript(): typeof TypeScript {
  return (typescript ??= createRequire(join(home, "package.json"))("typescript") as typeof TypeScript);
}
