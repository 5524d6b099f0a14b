import { statSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { borrowedPackages } from "../borrowed-packages.js";
import { compilerOptions, hasNodeTypes } from "./compiler-options.js";
import { declaredNames, exportedNames, type NameKind } from "./declared-names.js";
import { Libraries } from "./libraries.js";
import { libraryRegistry } from "./library-registry.js";
import { plainType } from "./plain-type.js";

const CELL_FILE = /^__cell_(\d+|next)__\.ts$/;

interface CellModule {
  text: string;
  version: string;
  /** what the front end calls it: `[number]` */
  number: number;
  gives: Map<string, NameKind>;
  /** files of the cells that it takes names from */
  uses: Set<string>;
  /** it changes types for everybody (`declare global`), so it is never dropped */
  global: boolean;
}

interface Owner {
  file: string;
  kind: NameKind;
  /** the type of a variable, where it can be written down */
  type?: string;
}

/**
 * The notebook as TypeScript sees it: each cell is a module of its own.
 * A module's text starts with the cell as the user wrote it, so that positions need no translation. Behind it stand the
 * names that it takes from earlier cells (variables declared with their type, so that assignments to them are checked;
 * everything else imported) and an export of the names that it gives.
 * A name belongs to the last cell that declared it. Cells that nobody takes a name from any more are dropped.
 */
export class NotebookProgram {
  readonly service: ts.LanguageService;
  readonly options: ts.CompilerOptions;
  /** what of the project's tsconfig.json is not taken */
  readonly note?: string;
  private readonly files = new Map<string, CellModule>();
  private readonly owners = new Map<string, Owner>();
  private readonly current: string;
  private cells = 0;
  private versions = 0;

  /**
   * @param folder the notebook's
   * @param home folder of the moelab package
   * @param globals declarations that every cell sees
   * @param prepared the libraries, with Node's types, where they were used before
   */
  constructor(readonly folder: string, private readonly home: string, globals: string, prepared?: Libraries) {
    ({ options: this.options, note: this.note } = compilerOptions(folder, home));
    const globalsFile = join(folder, "__moelab_globals__.d.ts");
    this.files.set(globalsFile, { text: globals, version: "0", number: 0, gives: new Map(), uses: new Set(),
      global: true });
    this.current = join(folder, "__cell_next__.ts");
    const hasOwn = hasNodeTypes(folder, home);
    const libraries = prepared && !hasOwn ? prepared : new Libraries(home, !hasOwn);
    const isLibrary = (file: string) => libraries.types.has(file) || file.includes("/node_modules/");
    this.service = ts.createLanguageService(this.host(libraries), libraryRegistry(folder, libraries.parsed, isLibrary));
  }

  /** The program of the module that was opened last. */
  get program(): ts.Program {
    return this.service.getProgram()!;
  }

  /**
   * Makes `code` the cell that questions are about.
   * It is always the same file: with the same root files TypeScript takes over what it knows of all others.
   *
   * @param options.all whether it may speak of any earlier name, to complete them; else only of those that its text
   *   mentions
   * @param options.origins whether earlier names are traced to their declaration, to explain them; their type alone is
   *   faster
   * @returns its file
   */
  open(code: string, { number = 0, all = false, origins = false } = {}): string {
    this.files.set(this.current, this.module(code, number, all, origins));
    return this.current;
  }

  /**
   * The opened cell will run.
   * @returns what to call when it starts: from then on the names that it declares are its own
   */
  prepare(): () => void {
    const module = this.files.get(this.current)!;
    const types = this.plainTypes(module);
    return () => {
      const file = join(this.folder, `__cell_${++this.cells}__.ts`);
      this.files.set(file, module);
      for (const [name, kind] of module.gives) this.owners.set(name, { file, kind, type: types.get(name) });
      this.dropUnused();
    };
  }

  isCell(file: string): boolean {
    return this.files.has(file);
  }

  /** Where a name of an earlier cell is declared. */
  declaration(name: string): { file: string; number: number } | undefined {
    const owner = this.owners.get(name);
    return owner && { file: owner.file, number: this.files.get(owner.file)!.number };
  }

  /** Says "cell [3]" where TypeScript names the module of a cell. */
  readable(text: string): string {
    const name = (index: string) =>
      `cell [${this.files.get(join(this.folder, `__cell_${index}__.ts`))?.number ?? "?"}]`;
    return text.replace(/import\("[^"]*__cell_(\d+)__(?:\.ts)?"\)\.([\w$]+)/g,
      (_, index, symbol) => `${symbol} of ${name(index)}`).replace(
        /import\("(?:[^"]*__cell_next__(?:\.ts)?|types:[^"]*)"\)\./g,
        "",
      ).replace(/"[^"]*__cell_(\d+)__(?:\.ts)?"/g, (_, index) => name(index)).replace(/\\u(?!00[0-9])([0-9A-F]{4})/g,
        (_, code) => String.fromCharCode(parseInt(code, 16))) // names of folders
      .replaceAll(`"${this.folder}/`, "\"./");
  }

  private module(code: string, number: number, all: boolean, origins: boolean): CellModule {
    const parsed = ts.createSourceFile(this.current, code, ts.ScriptTarget.Latest);
    const gives = declaredNames(parsed);
    const exported = exportedNames(parsed);
    const mentioned = new Set(code.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
    const uses = new Set<string>();
    const taken: string[] = [];
    for (const [name, { file, kind, type }] of this.owners) {
      if (gives.has(name) || (!all && !mentioned.has(name))) continue;
      if (type && !origins) {
        taken.push(`declare ${kind} ${name}: ${type};`);
        continue;
      }
      const from = `"./${basename(file)}"`;
      uses.add(file);
      taken.push(
        kind === "entity"
          ? `import { ${name} } from ${from};`
          : `declare ${kind} ${name}: typeof import(${from}).${name};`,
      );
    }
    // TypeScript adds to the types of a module only if something imports it
    for (const statement of parsed.statements)
      if (ts.isModuleDeclaration(statement) && ts.isStringLiteral(statement.name))
        taken.push(`import type {} from ${JSON.stringify(statement.name.text)};`);
    const given = [...gives.keys()].filter((name) => !exported.has(name));
    const global = parsed.statements.some((statement) =>
      ts.isModuleDeclaration(statement)
      && (statement.flags & ts.NodeFlags.GlobalAugmentation || ts.isStringLiteral(statement.name))
    );
    return { text: `${code}${TAIL}${taken.join("")}export { ${given.join(", ")} };`, version: String(++this.versions),
      number, gives, uses, global };
  }

  /**
   * Types of the opened cell's variables that need no module to be understood. A cell that takes only such names needs
   * no
   * earlier cell: else each would need all before it, and a long notebook would become slow.
   */
  private plainTypes({ gives }: CellModule): Map<string, string | undefined> {
    const checker = this.program.getTypeChecker();
    const module = checker.getSymbolAtLocation(this.program.getSourceFile(this.current)!);
    const typeOf = (symbol: ts.Symbol) =>
      checker.getTypeOfSymbol(symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
    const variables = (module ? checker.getExportsOfModule(module) : []).filter(({ name }) =>
      (gives.get(name) ?? "entity") !== "entity"
    );
    return new Map(variables.map((symbol) => [symbol.name, plainType(checker, typeOf(symbol))]));
  }

  private dropUnused(): void {
    const live = new Set<string>();
    const keep = (file: string) => {
      if (live.has(file)) return;
      live.add(file);
      for (const used of this.files.get(file)?.uses ?? []) keep(used);
    };
    for (const { file } of this.owners.values()) keep(file);
    for (const [file, { global }] of this.files) if (global) keep(file);
    for (const file of this.files.keys()) if (file !== this.current && !live.has(file)) this.files.delete(file);
  }

  private host({ types, parsed }: Libraries): ts.LanguageServiceHost {
    const { folder, files, options } = this;
    const resolutions = ts.createModuleResolutionCache(folder, (name) => name, options);
    const readFile = (file: string) =>
      files.get(file)?.text ?? parsed.get(file)?.text ?? types.text(file) ?? ts.sys.readFile(file);
    const fileExists = (file: string) => files.has(file) || types.has(file) || ts.sys.fileExists(file);
    const isBorrowed = borrowedPackages(this.home);
    const version = (file: string) => files.get(file)?.version ?? (types.has(file) ? "0" : diskVersion(file));
    // asked of every file for every cell
    const snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
    const snapshot = (file: string) => {
      const known = snapshots.get(file);
      if (known?.version === version(file)) return known.snapshot;
      const text = readFile(file);
      if (text === undefined) return undefined;
      const made = { version: version(file), snapshot: ts.ScriptSnapshot.fromString(text) };
      if (!files.has(file)) snapshots.set(file, made);
      return made.snapshot;
    };
    const disk = { ...ts.sys, readFile, fileExists };
    const resolve = (name: string, from: string): ts.ResolvedModuleFull | undefined => {
      if (CELL_FILE.test(basename(name)))
        return { resolvedFileName: join(folder, basename(name)), extension: ".ts", isExternalLibraryImport: false };
      if (types.declares(name)) return undefined;
      const local = name.startsWith(".") || name.startsWith("/");
      const found = ts.resolveModuleName(name, from, options, disk, local ? undefined : resolutions).resolvedModule;
      if (found) return types.standIn(found);
      if (local) return undefined;
      resolutions.clear(); // it may be installed before the next cell
      if (!isBorrowed(name)) return undefined;
      const lent = ts.resolveModuleName(name, join(this.home, "package.ts"), options, ts.sys).resolvedModule;
      return lent && types.standIn(lent);
    };
    const resolveTypes = (name: string, from: string): ts.ResolvedTypeReferenceDirectiveWithFailedLookupLocations =>
      name === "node" && !options.types?.includes("node")
        ? { resolvedTypeReferenceDirective: { primary: true, resolvedFileName: types.nodeShim } }
        : ts.resolveTypeReferenceDirective(name, from, options, disk);
    const host = {
      // not in the public types; without it every program reads every package.json again
      getModuleResolutionCache: () => resolutions,
      getCompilationSettings: () => options,
      getScriptFileNames:
        () => [this.current,
          ...[...files].filter(([file, { global }]) => global && file !== this.current).map(([file]) => file)],
      getCurrentDirectory: () => folder,
      getDefaultLibFileName: () => types.library,
      useCaseSensitiveFileNames: () => true,
      getScriptVersion: version,
      getScriptSnapshot: snapshot,
      readFile,
      fileExists,
      readDirectory: ts.sys.readDirectory,
      getDirectories: ts.sys.getDirectories,
      directoryExists: ts.sys.directoryExists,
      realpath: ts.sys.realpath,
      resolveModuleNameLiterals: (literals: readonly ts.StringLiteralLike[], from: string) =>
        literals.map(({ text }) => ({ resolvedModule: resolve(text, from) })),
      resolveTypeReferenceDirectiveReferences: (references: readonly (ts.FileReference | string)[], from: string) =>
        references.map((each) => resolveTypes(typeof each === "string" ? each : each.fileName, from)),
    } satisfies ts.LanguageServiceHost & { getModuleResolutionCache(): ts.ModuleResolutionCache };
    return host;
  }
}

/** Stands between a cell's text and what is added to it. */
const TAIL = "\n;/*\u0000*/";

/** Installed packages do not change while a notebook runs; local files do. */
function diskVersion(file: string): string {
  if (file.includes("/node_modules/")) return "0";
  try {
    return String(statSync(file).mtimeMs);
  } catch {
    return "0";
  }
}
