import ts from "typescript";

/**
 * Parsed files, as TypeScript's own registry has them, but libraries stay once they are parsed: else a cell that does
 * not
 * mention one would make the next that does parse it again, which for moelab's types takes a second.
 * Their comments, half of the work, are left out until somebody asks for them: see `attachComments`.
 *
 * @param libraries those that were parsed, by path
 * @param isLibrary whether a file never changes while the notebook runs
 */
export function libraryRegistry(
  folder: string,
  libraries: Map<string, ts.SourceFile>,
  isLibrary: (file: string) => boolean,
): ts.DocumentRegistry {
  const registry = ts.createDocumentRegistry(true, folder);
  const library: ts.DocumentRegistry["acquireDocumentWithKey"] = (
    file,
    path,
    _settings,
    _key,
    snapshot,
    version,
    kind,
    options,
  ) => {
    const known = libraries.get(path);
    if (known) return known;
    const parsing = typeof options === "object" ? { ...options } : { languageVersion: ts.ScriptTarget.ESNext };
    if (/\.d\.[cm]?ts$/.test(file)) parsing.jsDocParsingMode = ts.JSDocParsingMode.ParseNone;
    const parsed = ts.createLanguageServiceSourceFile(file, snapshot, parsing, version, false, kind);
    libraries.set(path, parsed);
    return parsed;
  };
  return {
    ...registry,
    acquireDocumentWithKey: (...document) =>
      (isLibrary(document[0]) ? library : registry.acquireDocumentWithKey)(...document),
    updateDocumentWithKey: (...document) =>
      (isLibrary(document[0]) ? library : registry.updateDocumentWithKey)(...document),
    releaseDocumentWithKey:
      ((path: ts.Path, ...rest: [ts.DocumentRegistryBucketKey, ts.ScriptKind, ts.ResolutionMode]) => {
        if (!libraries.has(path)) registry.releaseDocumentWithKey(path, ...rest);
      }) as ts.DocumentRegistry["releaseDocumentWithKey"],
  };
}
