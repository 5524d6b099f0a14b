import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/**
 * Puts the types of many files into one. TypeScript spends time on every file of a program for every cell, and moelab's
 * types with those of its dependencies are a thousand files.
 * Each module becomes an ambient one, `declare module "types:package/path"`, and imports between them use these names;
 * what
 * was global stays so. Comments stay where they are, for the help while typing.
 *
 * @param {string[]} roots files whose types are wanted, with all that they import
 * @param {ts.CompilerOptions} options
 * @param {(file: ts.SourceFile) => boolean} [leaveOut] files whose types are in another roll-up
 * @returns {{ text: string, modules: Record<string, { name: string, export: "default" | "equals" | "names" }>, ambient:
 *   string[] }}
 *   `modules` by `package@version/path`, `ambient` the modules that were so already, such as "node:fs"
 */
export function rollUp(roots, options, leaveOut = () => false) {
  const program = ts.createProgram(roots, { ...options, noEmit: true });
  const host = ts.createCompilerHost(options);
  const checker = program.getTypeChecker();
  const files = program.getSourceFiles().filter((file) =>
    !program.isSourceFileDefaultLibrary(file) && !leaveOut(file) && file.fileName.endsWith("ts")
  );
  const names = new Map(files.filter(ts.isExternalModule).map((file) => [file.fileName, nameOf(file.fileName)]));
  const ambient = checker.getAmbientModules().map(({ name }) => name.slice(1, -1));
  const known = new Set(ambient);

  const rename = (literal, file) => {
    if (known.has(literal.text)) return undefined;
    const { resolvedModule } = ts.resolveModuleName(literal.text, file.fileName, options, host, undefined, undefined,
      ts.getModeForUsageLocation(file, literal, options));
    return resolvedModule && names.get(resolvedModule.resolvedFileName);
  };
  const texts = files.map((file) => {
    const edits = specifiers(file).map((literal) => ({ from: literal.getStart(file), to: literal.end,
      text: rename(literal, file) })
    ).filter(({ text }) => text !== undefined);
    let text = file.text;
    for (const { from, to, text: name } of edits.sort((a, b) => b.from - a.from))
      text = `${text.slice(0, from)}"${name}"${text.slice(to)}`;
    text = text.replace(/^\s*\/\/\/\s*<(reference|amd-module)\b.*$/gm, "").replace(/^\/\/# sourceMappingURL=.*$/gm, "");
    return ts.isExternalModule(file) ? `declare module "${names.get(file.fileName)}" {\n${text}\n}` : text;
  });
  const modules = Object.fromEntries(
    [...names].map(([file, name]) => [keyOf(file), { name, export: exportKind(checker, program.getSourceFile(file)) }]),
  );
  return { text: texts.join("\n"), modules, ambient };
}

/** All places at which a file names a module. */
function specifiers(file) {
  const found = [];
  const find = (node) => {
    const named = ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isExternalModuleReference(node)
      ? node.expression
      : ts.isImportTypeNode(node)
      ? node.argument.literal
      : ts.isModuleDeclaration(node)
      ? node.name
      : undefined;
    if (named && ts.isStringLiteral(named)) found.push(named);
    ts.forEachChild(node, find);
  };
  find(file);
  return found;
}

function exportKind(checker, file) {
  const symbols = checker.getSymbolAtLocation(file)?.exports;
  return symbols?.has("export=") ? "equals" : symbols?.has("default") ? "default" : "names";
}

/** `types:package/path`: no module that can be installed is called so. */
function nameOf(file) {
  const { name, path } = placeOf(file);
  return `types:${name}/${path.replace(/\.d\.([cm]?)ts$/, (_, kind) => (kind ? `.${kind}` : ""))}`;
}

function keyOf(file) {
  const { name, version, path } = placeOf(file);
  return `${name}@${version}/${path}`;
}

/** The package of a file, by the package.json above it that has a name and a version. */
function placeOf(file) {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (name && version) return { name, version, path: file.slice(folder.length + 1) };
    } catch {
      // not this folder
    }
  }
  throw new Error(`roll-up: ${file} is in no package; accepted are files below a package.json with name and version.`);
}
