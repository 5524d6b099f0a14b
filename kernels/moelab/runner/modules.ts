import { readFileSync, statSync } from "node:fs";
import { createRequire, Module, register } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { constants, runInThisContext } from "node:vm";
import { MessageChannel } from "node:worker_threads";
import { borrowedPackages } from "../borrowed-packages.js";
import { readModuleMaps } from "./scripts.js";
import { describeTensors } from "./tensor-text.js";

type Namespace = Record<string, unknown>;

/**
 * Loads what cells import, relative to the notebook's folder.
 * Local files are loaded afresh when they, or local files they import, have changed; TypeScript files need no build.
 */
export class Modules {
  readonly require: NodeJS.Require;
  /** `module` of all cells: that of the program, so that `require.main === module` holds */
  readonly module: NodeJS.Module & { filename: string };
  private readonly load: (specifier: string, options?: ImportCallOptions) => Promise<Namespace>;
  private readonly loadedAt = new Map<string, number>();

  /**
   * @param folder the notebook's
   * @param home folder of the running moelab package, which serves `import "moelab"` where the notebook has none of its
   *   own
   */
  constructor(private readonly folder: string, home: string) {
    const { port1, port2 } = new MessageChannel();
    readModuleMaps(port1);
    register("./module-hooks.js", import.meta.url, { data: { port: port2, home, folder }, transferList: [port2] });
    const filename = join(folder, "notebook.ts");
    this.require = borrowing(createRequire(join(folder, "notebook.js")), home);
    this.module = Object.assign(new Module(filename), { id: ".", filename, paths: this.require.resolve.paths("x") ?? [],
      require: this.require });
    this.require.main = this.module;
    // the name decides what relative specifiers are relative to
    this.load = runInThisContext("(specifier, options) => import(specifier, options)", {
      filename: join(folder, "notebook.js"),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
  }

  /** `import * as ns from specifier`, also as the expression `import(specifier)`. */
  async import(specifier: string, options?: ImportCallOptions): Promise<Namespace> {
    if (isLocal(specifier)) {
      this.forgetChanged();
      if (specifier.endsWith(".json"))
        return json(resolve(this.folder, specifier.startsWith("file:") ? new URL(specifier).pathname : specifier));
    }
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller, Modules.prototype.import);
    try {
      const loaded = await this.load(specifier, options);
      return specifier.endsWith(".json") ? named(loaded.default) : this.commonJs(loaded);
    } catch (error) {
      throw this.atCell(error, caller);
    } finally {
      this.rememberLoaded();
      describeTensors();
    }
  }

  /**
   * Node's loader runs elsewhere and does not know which cell asked; code of a module that throws knows its own place.
   */
  private atCell(error: unknown, { stack = "" }: { stack?: string }): unknown {
    if (!(error instanceof Error) || /Cell \[|\n    at (.*\()?\/.*:\d+:\d+/.test(error.stack ?? "")) return error;
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND" && !(error instanceof SyntaxError))
      return error;
    error.message = error.message.replace(/ imported from \S.*notebook\.js$/, "");
    error.stack = [`${error.name}: ${error.message}`, ...stack.split("\n").slice(1)].join("\n");
    return error;
  }

  /**
   * What `import { name as local }` does. What a local module exports is asked for each time, since the module may
   * assign to it;
   * a later cell that declares the name replaces it.
   */
  bind(variables: Record<string, unknown>, local: string, namespace: Namespace, name: string, specifier: string): void {
    const value = this.pick(namespace, name, specifier);
    const define = (descriptor: PropertyDescriptor) =>
      Object.defineProperty(variables, local, { configurable: true, enumerable: true, ...descriptor });
    if (isLocal(specifier))
      define({ get: () => this.pick(namespace, name, specifier),
        set: (replacement) => define({ value: replacement, writable: true }) });
    else define({ value, writable: true });
  }

  /** One name of a namespace. */
  private pick(namespace: Namespace, name: string, specifier: string): unknown {
    if (name === "default" && isCommonJsWithDefault(namespace)) return (namespace.default as Namespace).default;
    if (name in namespace) return namespace[name];
    throw new SyntaxError(`The requested module '${specifier}' does not provide an export named '${name}'`);
  }

  /**
   * Node finds the exports of a CommonJS module by reading its text, and gives up at `module.exports = { f, version:
   * "1" }`.
   * Its namespace gets all that it really exports.
   */
  private commonJs(namespace: Namespace): Namespace {
    const exported = namespace.default;
    if (exported === null || (typeof exported !== "object" && typeof exported !== "function")) return namespace;
    if (!Object.values(this.require.cache).some((module) => module?.exports === exported)) return namespace;
    const missing = Object.keys(exported).filter((name) => !(name in namespace));
    if (missing.length === 0) return namespace;
    const whole: Namespace = Object.create(null);
    for (const name of Object.keys(namespace))
      Object.defineProperty(whole, name, { enumerable: true, get: () => namespace[name] });
    for (const name of missing)
      Object.defineProperty(whole, name, { enumerable: true, get: () => (exported as Namespace)[name] });
    return whole;
  }

  /** Local CommonJS files live in `require.cache` under their plain path: when one has changed, all are forgotten. */
  private forgetChanged(): void {
    const local = Object.keys(this.require.cache).filter((file) => !file.includes("node_modules"));
    const changed = (file: string) => this.loadedAt.has(file) && modifiedAt(file) !== this.loadedAt.get(file);
    if (!local.some(changed)) return;
    for (const file of local) {
      delete this.require.cache[file];
      this.loadedAt.delete(file);
    }
  }

  private rememberLoaded(): void {
    for (const file of Object.keys(this.require.cache)) {
      if (!file.includes("node_modules") && !this.loadedAt.has(file)) this.loadedAt.set(file, modifiedAt(file));
    }
  }
}

/**
 * `require` that finds moelab, and what it depends on, where the notebook has none of its own; as the loader of modules
 * does.
 */
function borrowing(own: NodeJS.Require, home: string): NodeJS.Require {
  const isBorrowed = borrowedPackages(home);
  const lender = createRequire(join(home, "package.json"));
  const chosen = (specifier: string) => {
    try {
      if (isBorrowed(String(specifier))) own.resolve(specifier);
      return own;
    } catch {
      return lender;
    }
  };
  const find = (specifier: string, options?: { paths?: string[] }) => chosen(specifier).resolve(specifier, options);
  const { cache, extensions, main, resolve } = own;
  return Object.assign((specifier: string) => chosen(specifier)(specifier), { cache, extensions, main,
    resolve: Object.assign(find, { paths: resolve.paths }) });
}

function isLocal(specifier: string): boolean {
  return /^(\.\.?\/|\/|file:)/.test(specifier);
}

function json(file: string): Namespace {
  return named(JSON.parse(readFileSync(file, "utf8")));
}

/** What TypeScript gives of a JSON file: its value, and the properties of an object by name. */
function named(value: unknown): Namespace {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? { ...value, default: value }
    : { default: value };
}

/** Compiled by TypeScript or Babel from `export default`: the types say `.default`, Node says the whole exports. */
function isCommonJsWithDefault(namespace: Namespace): boolean {
  const exported = namespace.default as Namespace | undefined;
  return typeof exported === "object" && exported !== null && exported.__esModule === true && "default" in exported;
}

function modifiedAt(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return -1;
  }
}

/** `import.meta` of a cell. */
export function cellMeta(folder: string, require: NodeJS.Require) {
  const url = pathToFileURL(join(folder, "notebook.ts")).href;
  return {
    url,
    dirname: folder,
    filename: join(folder, "notebook.ts"),
    resolve:
      (specifier:
        string) => (isLocal(specifier)
          ? new URL(specifier, url).href
          : specifier.startsWith("node:")
          ? specifier
          : pathToFileURL(require.resolve(specifier)).href),
  };
}
