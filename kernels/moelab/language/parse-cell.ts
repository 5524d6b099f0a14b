import ts from "typescript";

export type ParsedCell = ts.SourceFile & { parseDiagnostics: ts.DiagnosticWithLocation[] };

/** A cell's text alone, as the module that it is: in a script `await` would be a name like any other. */
export function parseCell(code: string, { file = "cell.ts", kind = ts.ScriptKind.TS } = {}): ParsedCell {
  const options: ts.CreateSourceFileOptions = {
    languageVersion: ts.ScriptTarget.Latest,
    setExternalModuleIndicator: (file) => {
      (file as { externalModuleIndicator?: true }).externalModuleIndicator = true;
    },
  };
  return ts.createSourceFile(file, code, options, false, kind) as ParsedCell;
}
