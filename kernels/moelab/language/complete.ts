import ts from "typescript";
import type { CompletionResult } from "../threads.js";
import type { NotebookProgram } from "./notebook-program.js";

/**
 * What can stand at a place, best first: members, names of earlier cells, file names in imports, the strings that an
 * option takes.
 */
export function complete(notebook: NotebookProgram, code: string, offset: number): CompletionResult {
  const file = notebook.open(code, { all: true });
  const found = notebook.service.getCompletionsAtPosition(file, offset, { includeCompletionsWithInsertText: false,
    includeCompletionsForModuleExports: false });
  let start = offset;
  while (start > 0 && /[\p{ID_Continue}$]/u.test(code[start - 1]!)) start--;
  const typed = code.slice(start, offset).toLowerCase();
  const span = found?.entries.find(({ replacementSpan }) => replacementSpan)?.replacementSpan
    ?? found?.optionalReplacementSpan;
  const prefix = span && span.start <= offset ? code.slice(span.start, offset).toLowerCase() : typed;
  const seen = new Set<string>(); // `module` is a variable and a keyword
  const matches = (found?.entries ?? []).filter(({ name, kind }) =>
    !seen.has(name) && seen.add(name) && name.toLowerCase().startsWith(prefix)
    && !/^__(cell|moelab)_|^types:/.test(name)
    && kind !== ts.ScriptElementKind.warning
  ).sort((a, b) => a.sortText.localeCompare(b.sortText) || a.name.localeCompare(b.name)).map(({ name, kind }) => ({
    text: name,
    kind: String(kind),
  }));
  return span && span.start <= code.length
    ? { matches, start: span.start, end: Math.min(span.start + span.length, code.length) }
    : { matches, start, end: offset };
}
