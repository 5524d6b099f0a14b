import { relative } from "node:path";
import ts from "typescript";
import type { ErrorReport } from "../threads.js";
import { magicHint } from "./magics.js";
import type { NotebookProgram } from "./notebook-program.js";
import { parseCell } from "./parse-cell.js";

const RED = "\u001b[31m";
const PLAIN = "\u001b[39m";
const MAX_SHOWN = 10;
const CANNOT_FIND_NAME = 2304;

/** Errors that are none in a notebook: several `export default`, and `import x = require()`. */
const ACCEPTED = new Set([1202, 2528]);

/** What TypeScript has against a cell, or against local files that it imports; undefined if nothing. */
export class Diagnostics {
  /** the local files as they were when they had no errors */
  private clean = "";

  constructor(private readonly notebook: NotebookProgram) {}

  check(file: string, code: string): ErrorReport | undefined {
    // the cell alone: what is added behind it would complete an unfinished one
    const { parseDiagnostics } = parseCell(code, { file });
    if (parseDiagnostics.length > 0)
      return magicReport(code, parseDiagnostics) ?? jsxReport(code)
        ?? this.report("SyntaxError", parseDiagnostics, file, code);
    const { program } = this.notebook;
    const source = program.getSourceFile(file)!;
    const own = program.getSemanticDiagnostics(source).filter(isError).filter(({ start = 0 }) => start < code.length);
    const found = [...own, ...this.localFiles(program)];
    const magic = magicReport(code, own.filter(({ code: number }) => number === CANNOT_FIND_NAME), /^\s*!/);
    if (magic) return magic;
    return found.length > 0 ? this.report("TypeScriptError", found, file, code) : undefined;
  }

  /** Local modules are checked when one of them has changed. */
  private localFiles(program: ts.Program): ts.Diagnostic[] {
    const local = program.getSourceFiles().filter((each) =>
      !each.isDeclarationFile && !this.notebook.isCell(each.fileName)
      && !program.isSourceFileFromExternalLibrary(each) && /\.[mc]?[jt]sx?$/.test(each.fileName)
    );
    const state = local.map((each) => `${each.fileName}\0${(each as ts.SourceFile & { version?: string }).version}`)
      .join("\0");
    if (state === this.clean) return [];
    const found = local.flatMap(
      (each) => [...program.getSyntacticDiagnostics(each), ...program.getSemanticDiagnostics(each)]
    ).filter(isError);
    if (found.length === 0) this.clean = state;
    return found;
  }

  private report(ename: string, diagnostics: readonly ts.Diagnostic[], cell: string, code: string): ErrorReport {
    const described = diagnostics.slice(0, MAX_SHOWN).map((diagnostic) => this.describe(diagnostic, cell, code));
    const more = diagnostics.length - described.length;
    return {
      ename,
      evalue: `${described[0]!.place} - ${described[0]!.message}`,
      traceback: [...described.flatMap(({ lines }) => lines), ...(more > 0 ? [`… and ${more} more`] : [])],
    };
  }

  private describe(
    diagnostic: ts.Diagnostic,
    cell: string,
    code: string,
  ): { place: string; message: string; lines: string[] } {
    const { file, start = 0, length = 1, code: number } = diagnostic;
    const message = this.notebook.readable(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
    const { line, character } = file!.getLineAndCharacterOfPosition(
      Math.min(start, file!.fileName === cell ? code.length : Infinity),
    );
    const name = file!.fileName === cell ? "" : `${relative(this.notebook.folder, file!.fileName)}:`;
    const place = `${name}${line + 1}:${character + 1}`;
    const text = (file!.fileName === cell ? code : file!.text).split("\n")[line] ?? "";
    const marked = " ".repeat(character) + "~".repeat(Math.max(1, Math.min(length, text.length - character)));
    return {
      place,
      message,
      lines: [`${place} - ${RED}error${PLAIN} TS${number}: ${message}`, "", `    ${text}`,
        `    ${RED}${marked.replace(/^\s+/, (space) => space)}${PLAIN}`,
        ...this.fixes(file!.fileName, start, length, number).map((fix) => `  fix: ${fix}`)],
    };
  }

  /** What an editor would offer to do about it. */
  private fixes(file: string, start: number, length: number, code: number): string[] {
    try {
      const fixes = this.notebook.service.getCodeFixesAtPosition(file, start, start + length, [code],
        ts.getDefaultFormatCodeSettings(), {});
      return [
        ...new Set(fixes.map(({ description }) =>
          this.notebook.readable(description)
        ).filter((text) => !/ts-ignore|__cell_|types:/.test(text))),
      ].slice(0, 3);
    } catch {
      return []; // a suggestion is not worth a failure
    }
  }
}

function isError({ category, code, file }: ts.Diagnostic): boolean {
  return category === ts.DiagnosticCategory.Error && !ACCEPTED.has(code) && file !== undefined;
}

/** Names a line of IPython's as such; to TypeScript it is a heap of odd errors, or (`!ls`) an unknown name. */
function magicReport(code: string, problems: readonly ts.Diagnostic[], line = /^/): ErrorReport | undefined {
  for (const { start = 0 } of problems) {
    const [before, after] = [code.slice(0, start), code.slice(start)];
    const text = before.slice(before.lastIndexOf("\n") + 1) + after.split("\n")[0];
    const evalue = line.test(text) ? magicHint(text) : undefined;
    if (evalue)
      return { ename: "SyntaxError", evalue,
        traceback: [`${before.split("\n").length}:1 - ${RED}SyntaxError${PLAIN}: ${evalue}`, "", `    ${text}`] };
  }
  return undefined;
}

/** JSX is a heap of odd syntax errors to a parser that does not expect it: it is named instead. */
function jsxReport(code: string): ErrorReport | undefined {
  const file = parseCell(code, { kind: ts.ScriptKind.TSX });
  if (file.parseDiagnostics.length > 0) return undefined;
  let found: ts.Node | undefined;
  const find = (node: ts.Node) => {
    if (ts.isJsxElement(node) || ts.isJsxSelfClosingElement(node) || ts.isJsxFragment(node)) found ??= node;
    else ts.forEachChild(node, find);
  };
  find(file);
  if (!found) return undefined;
  const { line, character } = file.getLineAndCharacterOfPosition(found.getStart(file));
  const evalue = `cell: JSX was seen at ${line + 1}:${character + 1}; accepted is TypeScript without JSX. Build `
    + "elements by function calls, HTML as a string with display(), or import a .tsx file (jsx in tsconfig.json).";
  return { ename: "SyntaxError", evalue,
    traceback: [`${RED}SyntaxError${PLAIN}: ${evalue}`, "", `    ${code.split("\n")[line]}`,
      `    ${" ".repeat(character)}${RED}~${PLAIN}`] };
}
