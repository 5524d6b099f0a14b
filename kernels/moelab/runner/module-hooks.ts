// Node's module loader, extended (it runs these hooks in a thread of their own): local TypeScript, files that changed,
// and
// moelab for notebooks that lie where it is not installed.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire, type InitializeHook, isBuiltin, type LoadHook, type ResolveHook } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { MessagePort } from "node:worker_threads";
import type TypeScript from "typescript";
import { borrowedPackages } from "../borrowed-packages.js";
import { projectOptions } from "../project-options.js";

let home = "";
let folder = "";
let port: MessagePort;
let isBorrowed: (specifier: string) => boolean;
let typescript: typeof TypeScript | undefined;

export const initialize: InitializeHook<{ port: MessagePort; home: string; folder: string }> = (data) => {
  ({ home, folder, port } = data);
  isBorrowed = borrowedPackages(home);
};

export const resolve: ResolveHook = async (specifier, context, next) => {
  const local = (file: string) => {
    const url = `${pathToFileURL(file).href}?v=${versionOf(file)}`;
    if (/\.json$/.test(file))
      return { url, format: "json" as const, importAttributes: { type: "json" }, shortCircuit: true };
    return /\.([mc]?ts|[jt]sx)$/.test(file) ? { url, format: formatOf(file), shortCircuit: true } : next(url, context);
  };
  if (/^(\.\.?\/|\/|file:)/.test(specifier)) {
    const file = localFile(new URL(specifier, context.parentURL).href);
    return file === undefined || isForeign(file) ? next(specifier, context) : local(file);
  }
  const file = mapped(specifier, context.parentURL);
  if (file) return local(file);
  try {
    return await next(specifier, context);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND" || !isBorrowed(specifier)) throw error;
    return next(specifier, { ...context, parentURL: pathToFileURL(join(home, "package.json")).href });
  }
};

export const load: LoadHook = async (url, context, next) => {
  const file = url.startsWith("file:") ? fileURLToPath(url.split("?")[0]!) : "";
  if (!/\.([mc]?ts|[jt]sx)$/.test(file) || isForeign(file)) return next(url, context);
  const ts = loadTypeScript();
  const { jsx, ...options } = project();
  if (/\.[jt]sx$/.test(file) && jsx === undefined)
    throw new SyntaxError(
      `import: ${file} holds JSX; accepted is that where a tsconfig.json beside the notebook sets jsx. Set it, to `
        + "\"react-jsx\" for instance, or move what the notebook needs into a .ts file.",
    );
  const { outputText, sourceMapText } = ts.transpileModule(readFileSync(file, "utf8"), {
    fileName: file,
    compilerOptions: { ...options, module: file.endsWith(".cts") ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
      jsx: jsx === ts.JsxEmit.Preserve || jsx === ts.JsxEmit.ReactNative ? ts.JsxEmit.React : jsx,
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
  const sibling = path.replace(/\.([mc]?)js(x?)$/, ".$1ts$2");
  return [path, sibling, path.replace(/\.js$/, ".tsx"), `${path}.ts`, `${path}.tsx`, `${path}.mts`, `${path}.js`,
    `${path}.jsx`, `${path}.mjs`, join(path, "index.ts"), join(path, "index.tsx"), join(path, "index.js")].find(isFile);
}

let read: TypeScript.CompilerOptions | undefined;

/** What the project's tsconfig.json says; a restart reads it again, as for the check. */
function project(): TypeScript.CompilerOptions {
  return (read ??= existsSync(join(folder, "tsconfig.json")) ? projectOptions(loadTypeScript(), folder).options : {});
}

/** The local file that `paths` or `baseUrl` of the project's tsconfig.json mean by a name. */
function mapped(specifier: string, parent = ""): string | undefined {
  const from = parent.startsWith("file:") ? fileURLToPath(parent.split("?")[0]!) : "";
  if (!from || isForeign(from) || isBuiltin(specifier)) return undefined;
  const options = project();
  if (!options.paths && !options.baseUrl) return undefined;
  const ts = loadTypeScript();
  const found =
    ts.resolveModuleName(specifier, from, { ...options, resolveJsonModule: true, allowJs: true,
      moduleResolution: ts.ModuleResolutionKind.Bundler }, ts.sys).resolvedModule;
  const file = found && !found.isExternalLibraryImport && !/\.d\.[mc]?ts$/.test(found.resolvedFileName)
    ? found.resolvedFileName
    : undefined;
  return file && !isForeign(file) ? file : undefined;
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
  if (!/\.[mc]?[jt]sx?$/.test(file)) return [];
  const modified = statSync(file).mtimeMs;
  const known = imports.get(file);
  if (known?.modified === modified) return known.files;
  const { importedFiles } = loadTypeScript().preProcessFile(readFileSync(file, "utf8"), true, true);
  const files = importedFiles.map(({ fileName }) =>
    /^\.\.?\//.test(fileName)
      ? localFile(new URL(fileName, pathToFileURL(file)).href)
      : mapped(fileName, pathToFileURL(file).href)
  ).filter((found) => found !== undefined);
  imports.set(file, { modified, files });
  return files;
}

/** Loaded when the first local module asks for it: it takes a fifth of a second and some 60 MB. */
function loadTypeScript(): typeof TypeScript {
  return (typescript ??= createRequire(join(home, "package.json"))("typescript") as typeof TypeScript);
}
