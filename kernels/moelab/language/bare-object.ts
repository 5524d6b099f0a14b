import ts from "typescript";
import { parseCell } from "./parse-cell.js";

/**
 * A cell that is an object and nothing else, `{ a: 1, b: 2 }`, is one to whoever wrote it; TypeScript reads a block.
 * @returns the cell with the parentheses that make it an expression, or as it is
 */
export function bareObject(code: string): string {
  if (!/^\s*\{[\s\S]*\}\s*$/.test(code)) return code;
  const wrapped = `(${code})`;
  const { statements, parseDiagnostics } = parseCell(wrapped);
  const [only, ...others] = statements;
  const isObject = only && ts.isExpressionStatement(only) && ts.isParenthesizedExpression(only.expression)
    && ts.isObjectLiteralExpression(only.expression.expression);
  return isObject && others.length === 0 && parseDiagnostics.length === 0 ? wrapped : code;
}
