import { TemplateError } from "./budget.js";
import { WHITE_SPACE } from "./white-space.js";

export interface Token {
  type: "data" | "begin" | "end" | "name" | "string" | "integer" | "float" | "operator" | "eof";
  value: string;
  number?: number;
  line: number;
}

const S = `[${WHITE_SPACE}]*`;
const RULES: [Token["type"] | "space", RegExp][] = [["space", new RegExp(`[${WHITE_SPACE}]+`, "y")], ["float",
  /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy], ["integer",
  /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy], ["name",
  /[\p{L}\p{Nl}\p{Nd}\p{M}\p{Pc}·]+/uy], ["string", /'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"/y], ["operator",
  /\*\*|\/\/|[=!<>]=|[-+/*%~[\](){}<>=.:|,;]/y]];
const ROOT = new RegExp(`\\{%([-+]?)${S}raw${S}(?:-%\\}${S}|%\\})|\\{#([-+]?)|\\{%([-+]?)|\\{\\{([-+]?)`, "g");
const RAW_END = new RegExp(`\\{%([-+]?)${S}endraw${S}(?:\\+%\\}|-%\\}${S}|%\\}\\n?)`, "g");
const COMMENT_END = new RegExp(`\\+#\\}|-#\\}${S}|#\\}\\n?`, "g");
const BLOCK_END = new RegExp(`\\+%\\}|-%\\}${S}|%\\}\\n?`, "y");
const VARIABLE_END = new RegExp(`-\\}\\}${S}|\\}\\}`, "y");
const TRAILING = new RegExp(`[${WHITE_SPACE}]+$`);
const BLANK = new RegExp(`^[${WHITE_SPACE}]+$`);
const CLOSING: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

/**
 * The tokens of a template as jinja2 splits it with trim_blocks and lstrip_blocks, as transformers sets it up: the
 * first newline after a tag is dropped, and so is what indents it.
 *
 * @throws TemplateError where a tag, text or bracket does not end
 */
export function tokenize(template: string): Token[] {
  let source = template.replace(/\r\n?/g, "\n");
  if (source.endsWith("\n")) source = source.slice(0, -1);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let lineStarts = true;
  const push = (type: Token["type"], value: string, number?: number) => tokens.push({ type, value, number, line });
  const data = (text: string, sign: string, isVariable: boolean) => {
    let kept = text;
    if (sign === "-") kept = trimEnd(text);
    else if (sign !== "+" && !isVariable) {
      const start = text.lastIndexOf("\n") + 1;
      if ((start > 0 || lineStarts) && BLANK.test(text.slice(start))) kept = text.slice(0, start);
    }
    if (kept) push("data", kept);
  };
  const to = (end: number) => {
    for (let i = at; i < end; i++) if (source[i] === "\n") line++;
    lineStarts = source[end - 1] === "\n";
    at = end;
  };
  const find = (pattern: RegExp, what: string) => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (!found) throw new TemplateError(`missing end of ${what}, line ${line}`);
    return found;
  };

  while (at < source.length) {
    ROOT.lastIndex = at;
    const found = ROOT.exec(source);
    if (!found) {
      push("data", source.slice(at));
      break;
    }
    const [whole, raw, comment, block, variable] = found;
    data(source.slice(at, found.index), raw ?? comment ?? block ?? variable, variable !== undefined);
    to(found.index + whole.length);
    if (raw !== undefined) {
      if (at === source.length) break;
      const end = find(RAW_END, "raw");
      data(source.slice(at, end.index), end[1], false);
      to(end.index + end[0].length);
    } else if (comment !== undefined) {
      if (at === source.length) break;
      const end = find(COMMENT_END, "comment");
      to(end.index + end[0].length);
    } else tag(block !== undefined ? "%" : "{");
  }
  push("eof", "end of template");
  return tokens;

  function tag(kind: "%" | "{"): void {
    const ending = kind === "%" ? BLOCK_END : VARIABLE_END;
    const brackets: string[] = [];
    push("begin", kind);
    for (;;) {
      ending.lastIndex = at;
      const end = brackets.length === 0 ? ending.exec(source) : null;
      if (end) {
        push("end", kind);
        return to(at + end[0].length);
      }
      if (at >= source.length) throw new TemplateError(`unexpected end of template in a tag, line ${line}`);
      const matched = RULES.map(([type, rule]) => {
        rule.lastIndex = at;
        return { type, text: rule.exec(source)?.[0] };
      }).find(({ text }) => text !== undefined);
      if (!matched) throw new TemplateError(`unexpected ${JSON.stringify(source[at])}, line ${line}`);
      const { type, text } = matched as { type: Token["type"] | "space"; text: string };
      if (type === "operator") {
        if (text in CLOSING) brackets.push(CLOSING[text]);
        else if (")]}".includes(text) && brackets.pop() !== text)
          throw new TemplateError(`unexpected ${JSON.stringify(text)}, line ${line}`);
      }
      if (type === "string") push(type, unescape(text.slice(1, -1)));
      else if (type === "integer" || type === "float") push(type, text, Number(text.replace(/_/g, "")));
      else if (type !== "space") push(type, text);
      to(at + text.length);
    }
  }
}

/** Python's rstrip: the pattern alone would take quadratic time on a text full of spaces. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING.test(text[end - 1])) end--;
  return text.slice(0, end);
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", "\\": "\\", "'": "'", "\"": "\"", a: "\x07",
  b: "\b", f: "\f", v: "\v", "\n": "" };

/** Python's string escapes; one that it does not know stands as it is. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([^]))/gi,
    (whole, x, u, long, octal, one) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined && /^\\[xuU]/.test(whole)) return String.fromCodePoint(parseInt(hex, 16));
      return octal !== undefined ? String.fromCodePoint(parseInt(octal, 8)) : ESCAPES[one] ?? whole;
    });
}
