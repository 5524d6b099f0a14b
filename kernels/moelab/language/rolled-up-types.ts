import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

interface Index {
  /** by `package@version/path` */
  modules: Record<string, { name: string; export: "default" | "equals" | "names" }>;
  ambient: string[];
}

/**
 * The types that cells are checked against, as few files (see `types/roll-up.mjs`): TypeScript spends time on each file
 * of a
 * program for every cell. Standard library and Node are one file, moelab with all that it depends on is another.
 */
export class RolledUpTypes {
  /** name of the file that holds the standard library, and Node unless the notebook has types of its own */
  readonly library = join(LIBRARIES, "lib.kernel.d.ts");
  private readonly texts = new Map<string, string | (() => string)>();
  private readonly ambient: Set<string>;
  private readonly moelab: Index;

  /**
   * @param folder of the built types
   * @param libraries TypeScript's own, as in its option `lib`
   * @param node whether Node's types are wanted
   */
  constructor(private readonly folder: string, libraries: string[], node: boolean) {
    const all = [...closure(libraries)].map((name) => ({ name, text: readFileSync(join(LIBRARIES, name), "utf8") }));
    // one that is a module (of iterators) would make the whole a module
    const [modules, plain] = [true, false].map((isModule) =>
      all.filter(({ text }) => /^export \{\};?$/m.test(text) === isModule)
    );
    const covered = plain!.map(({ name }) => name);
    const texts = plain!.map(({ text }) => text);
    for (const name of node ? ["node.d.ts", "web.d.ts"] : ["web.d.ts"])
      texts.push(readFileSync(join(folder, name), "utf8"));
    const references = modules!.map(({ name }) => `/// <reference path="./${name}" />\n`).join("");
    this.texts.set(this.library, references + texts.join("\n").replace(/^\/\/\/\s*<reference .*$/gm, ""));
    for (const name of covered) this.texts.set(join(LIBRARIES, name), ""); // packages refer to them
    this.texts.set(this.nodeShim, "");
    this.ambient = new Set(node ? readIndex(folder, "node").ambient : []);
    this.moelab = readIndex(folder, "moelab");
    this.texts.set(this.moelabFile, () => readFileSync(this.moelabFile, "utf8"));
  }

  /** The text of a file that exists only here. */
  text(file: string): string | undefined {
    const text = this.texts.get(file);
    return typeof text === "function" ? text() : text;
  }

  has(file: string): boolean {
    return this.texts.has(file);
  }

  /** Whether a name is that of a module inside these files: no other file has to be looked for. */
  declares(name: string): boolean {
    return name.startsWith("types:") || this.ambient.has(name);
  }

  /** Where `/// <reference types="node" />` leads: they are there already. */
  get nodeShim(): string {
    return join(this.folder, "node-is-there.d.ts");
  }

  /** A file that stands for one that was rolled up, else the file itself. */
  standIn(resolved: ts.ResolvedModuleFull): ts.ResolvedModuleFull {
    const found = this.moelab.modules[keyOf(resolved)];
    if (!found) return resolved;
    const file = join(this.folder, `${encodeURIComponent(found.name)}.d.ts`);
    const reference = `/// <reference path="./moelab.d.ts" />\n`;
    const exports = {
      equals: `import whole = require("${found.name}");\nexport = whole;`,
      default: `export * from "${found.name}";\nexport { default } from "${found.name}";`,
      names: `export * from "${found.name}";`,
    };
    this.texts.set(file, reference + exports[found.export]);
    return { ...resolved, resolvedFileName: file, extension: ts.Extension.Dts };
  }

  private get moelabFile(): string {
    return join(this.folder, "moelab.d.ts");
  }
}

const LIBRARIES = dirname(ts.getDefaultLibFilePath({}));

/** Libraries and those that they refer to. */
function closure(names: string[], found = new Set<string>()): Set<string> {
  for (const name of names) {
    if (found.has(name)) continue;
    const text = readFileSync(join(LIBRARIES, name), "utf8");
    closure([...text.matchAll(/^\/\/\/\s*<reference lib="([^"]+)"/gm)].map(([, lib]) => `lib.${lib}.d.ts`), found);
    found.add(name);
  }
  return found;
}

function keyOf({ packageId }: ts.ResolvedModuleFull): string {
  return packageId ? `${packageId.name}@${packageId.version}/${packageId.subModuleName}` : "";
}

function readIndex(folder: string, name: string): Index {
  const file = join(folder, `${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { modules: {}, ambient: [] };
}
