import { TemplateError } from "./budget.js";
import { type Token, tokenize } from "./tokens.js";

/** Brackets, conditions and tags within each other; jinja2 itself gives up at some 70 (Python's limit of recursion). */
const MAX_DEPTH = 150;

export type TokenReader = ReturnType<typeof readTokens>;

/** The tokens of a template, read one by one. */
export function readTokens(template: string) {
  const tokens = tokenize(template);
  let at = 0;
  let depth = 0;

  const peek = (ahead = 0): Token => tokens[Math.min(at + ahead, tokens.length - 1)];
  const next = (): Token => tokens[Math.min(at++, tokens.length - 1)];
  const is = (type: Token["type"], value: string, ahead = 0) =>
    peek(ahead).type === type && peek(ahead).value === value;
  const skip = (type: Token["type"], value: string) => is(type, value) && !!next();
  const fail = (what: string, token = peek()): never => {
    throw new TemplateError(`${what}, line ${token.line}`);
  };
  const expect = (type: Token["type"], value?: string): Token =>
    peek().type === type && (value === undefined || peek().value === value)
      ? next()
      : fail(`expected ${value ?? type}, got ${JSON.stringify(peek().value)}`);
  const name = () => expect("name").value;
  const nested = <T>(read: () => T): T => {
    if (++depth > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels within each other`);
    const value = read();
    depth--;
    return value;
  };
  return { peek, next, is, skip, fail, expect, name, nested };
}
