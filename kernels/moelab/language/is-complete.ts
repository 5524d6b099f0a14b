import ts from "typescript";
import { bareObject } from "./bare-object.js";
import { parseCell } from "./parse-cell.js";

/** Whether a console should run what was typed or wait for more of it. */
export function isComplete(code: string): { status: "complete" | "incomplete" | "invalid"; indent?: string } {
  const problems = parseCell(bareObject(code)).parseDiagnostics;
  if (problems.length === 0) return { status: "complete" };
  const end = code.trimEnd().length;
  const unfinished = problems.some(({ start = 0, messageText }) =>
    start >= end || /^Unterminated|'\*\/' expected/.test(ts.flattenDiagnosticMessageText(messageText, "\n"))
  );
  if (!unfinished) return { status: "invalid" };
  return { status: "incomplete", indent: "  ".repeat(openBrackets(code)) };
}

function openBrackets(code: string): number {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, code);
  let depth = 0;
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    if ([ts.SyntaxKind.OpenBraceToken, ts.SyntaxKind.OpenParenToken, ts.SyntaxKind.OpenBracketToken].includes(token))
      depth++;
    if ([ts.SyntaxKind.CloseBraceToken, ts.SyntaxKind.CloseParenToken, ts.SyntaxKind.CloseBracketToken].includes(token))
      depth--;
  }
  return Math.max(0, depth);
}
