import { spend, spendText, TemplateError } from "./budget.js";
import { type Call, define } from "./define.js";
import { str } from "./representation.js";
import { characters, Dict, iterate, lengthOf, List, refuse, Tuple, typeName, Undefined, type Value,
  whole } from "./values.js";
import { WHITE_SPACE } from "./white-space.js";

const SPACE = new RegExp(`[${WHITE_SPACE}]`);
const SPACES = new RegExp(`[${WHITE_SPACE}]+`);
const ONLY = (pattern: string) => new RegExp(`^${pattern}+$`, "u");

export function text(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? refuse(value) : fail(`a str is expected, not ${typeName(value)}`);
}
function fail(message: string): never {
  throw new TemplateError(message);
}

/** Python's strip of white space, or of any of the given characters. */
export function strip(s: string, chars: Value, left: boolean, right: boolean): string {
  const set = chars === null ? undefined : new Set(characters(text(chars)));
  const has = (char: string) => (set ? set.has(char) : SPACE.test(char));
  const all = characters(s);
  let [start, end] = [0, all.length];
  while (left && start < end && has(all[start])) start++;
  while (right && end > start && has(all[end - 1])) end--;
  return all.slice(start, end).join("");
}

function split(s: string, separator: Value, limit: number, fromRight: boolean): List {
  spend(s.length);
  if (separator === null) {
    const trimmed = strip(s, null, !fromRight || limit < 0, fromRight || limit < 0);
    const parts = trimmed.split(SPACES).filter((part) => part !== "");
    if (limit < 0 || parts.length <= limit) return new List(parts);
    const blank = new RegExp(
      fromRight ? `[${WHITE_SPACE}]+([^${WHITE_SPACE}]+)$` : `^([^${WHITE_SPACE}]+)[${WHITE_SPACE}]+`,
    );
    let rest = strip(s, null, !fromRight, fromRight);
    const taken: string[] = [];
    for (let found; taken.length < limit && (found = blank.exec(rest)); taken.push(found[1]))
      rest = fromRight ? rest.slice(0, found.index) : rest.slice(found[0].length);
    return new List(fromRight ? [rest, ...taken.reverse()] : [...taken, rest]);
  }
  const by = text(separator);
  if (by === "") fail("empty separator");
  const parts = s.split(by);
  if (limit < 0 || parts.length <= limit) return new List(parts);
  const at = fromRight ? parts.length - limit : limit;
  return new List(
    fromRight ? [parts.slice(0, at).join(by), ...parts.slice(at)] : [...parts.slice(0, at), parts.slice(at).join(by)],
  );
}

/** The part of a text between two places, and where it begins. */
function part(s: string, start: Value, end: Value): { all: string[]; from: number } {
  const all = characters(s);
  const place = (value: Value, standard: number) => {
    const at = value === null ? standard : whole(value);
    return Math.max(0, Math.min(all.length, at < 0 ? at + all.length : at));
  };
  const from = place(start, 0);
  return { all: start !== null && whole(start) > all.length ? [] : all.slice(from, place(end, all.length)), from };
}

function find(s: string, sub: string, start: Value, end: Value, last: boolean): number {
  const { all, from } = part(s, start, end);
  if (start !== null && whole(start) > lengthOf(s)!) return -1;
  const inside = all.join("");
  const at = last ? inside.lastIndexOf(sub) : inside.indexOf(sub);
  return at < 0 ? -1 : from + lengthOf(inside.slice(0, at))!;
}

function affix(s: string, given: Value, start: Value, end: Value, test: (inside: string, affix: string) => boolean) {
  if (start !== null && whole(start) > lengthOf(s)!) return false;
  const inside = part(s, start, end).all.join("");
  return given instanceof Tuple ? given.items.some((each) => test(inside, text(each))) : test(inside, text(given));
}

const capital = (s: string) => {
  const [first = "", ...rest] = characters(s);
  return first.toUpperCase() + rest.join("").toLowerCase();
};

function replace(s: string, old: string, by: string, count: number): string {
  const pieces = old === "" ? ["", ...characters(s), ""] : s.split(old);
  const times = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  spendText(s.length + times * by.length);
  return pieces.slice(0, times + 1).join(by)
    + (times + 1 < pieces.length ? old + pieces.slice(times + 1).join(old) : "");
}

export function splitLines(s: string, keep: boolean): string[] {
  spend(s.length);
  return (s.match(/[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|[^]+$/g) ?? [])
    .map((line) => (keep ? line : line.replace(/(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])$/, "")));
}

export function join(by: string, items: readonly string[]): string {
  spendText(items.reduce((sum, item) => sum + item.length + by.length, 0));
  return items.join(by);
}

function pad(s: string, width: Value, fill: Value, side: "left" | "right" | "both"): string {
  const missing = whole(width) - lengthOf(s)!;
  if (lengthOf(fill) !== 1) fail("The fill character must be exactly one character long");
  if (missing <= 0) return s;
  spendText(whole(width));
  const left = side === "right"
    ? 0
    : side === "left"
    ? missing
    : Math.floor(missing / 2) + (missing & whole(width) & 1);
  return text(fill).repeat(left) + s + text(fill).repeat(missing - left);
}

const isCased = (s: string, cased: string) => s === cased && s.toLowerCase() !== s.toUpperCase();
const title = (s: string) => s.replace(/\p{Cased}[\p{Cased}\p{Mn}]*/gu, (word) => capital(word));

const is = (name: string, pattern: RegExp) => define(`${name}(s)`, (s) => pattern.test(s));

/** Methods of Python's str, with the text as first argument. */
export const STRING_METHODS: ReadonlyMap<string, Call> = new Map([define("capitalize(s)", capital),
  define("casefold(s)", (s) => s.toLowerCase().replace(/ß/g, "ss")),
  define("center(s, width, fillchar=\" \")", (s, width, fill) => pad(s, width, fill, "both")),
  define("count(s, sub, start=null, end=null)", (s, sub, start, end) => {
    const inside = part(s, start, end).all;
    return text(sub) === "" ? inside.length + 1 : inside.join("").split(sub).length - 1;
  }),
  define("endswith(s, suffix, start=null, end=null)",
    (s, given, start, end) => affix(s, given, start, end, (inside, end) => inside.endsWith(end))),
  define("expandtabs(s, tabsize=8)", (s, size) => {
    let column = 0;
    return characters(s).map((char) => {
      const wide = char === "\t" ? (size > 0 ? size - column % size : 0) : 1;
      column = char === "\n" || char === "\r" ? 0 : column + wide;
      return char === "\t" ? " ".repeat(wide) : char;
    }).join("");
  }), define("find(s, sub, start=null, end=null)", (s, sub, start, end) => find(s, text(sub), start, end, false)),
  define("index(s, sub, start=null, end=null)", (s, sub, start, end) => found(find(s, text(sub), start, end, false))),
  is("isalnum", ONLY("[\\p{L}\\p{N}]")), is("isalpha", ONLY("\\p{L}")), is("isascii", /^[\0-\x7f]*$/),
  is("isdecimal", ONLY("\\p{Nd}")), is("isdigit", ONLY("[\\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨]")),
  is("isidentifier", /^[\p{L}\p{Nl}_][\p{L}\p{N}\p{M}_]*$/u), define("islower(s)", (s) => isCased(s, s.toLowerCase())),
  is("isnumeric", ONLY("\\p{N}")),
  is("isprintable", /^[^\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*$/u),
  is("isspace", ONLY(`[${WHITE_SPACE}]`)), define("istitle(s)", (s) => /\p{Cased}/u.test(s) && title(s) === s),
  define("isupper(s)", (s) => isCased(s, s.toUpperCase())),
  define("join(s, items)",
    (s, items) =>
      join(s, iterate(items).map((item, i) =>
        typeof item === "string" ? item : fail(`sequence item ${i}: expected str instance, ${typeName(item)} found`)
      ))), define("ljust(s, width, fillchar=\" \")", (s, width, fill) => pad(s, width, fill, "right")),
  define("lower(s)", (s) => s.toLowerCase()),
  define("lstrip(s, chars=null)", (s, chars) => strip(s, chars, true, false)),
  define("partition(s, sep)", (s, by) => partition(s, text(by), s.indexOf(by), false)),
  define("removeprefix(s, prefix)", (s, prefix) => (s.startsWith(text(prefix)) ? s.slice(prefix.length) : s)),
  define("removesuffix(s, suffix)",
    (s, suffix) => text(suffix) !== "" && s.endsWith(suffix) ? s.slice(0, -suffix.length) : s),
  define("replace(s, old, new, count=-1)", (s, old, by, count) => replace(s, text(old), text(by), whole(count))),
  define("rfind(s, sub, start=null, end=null)", (s, sub, start, end) => find(s, text(sub), start, end, true)),
  define("rindex(s, sub, start=null, end=null)", (s, sub, start, end) => found(find(s, text(sub), start, end, true))),
  define("rjust(s, width, fillchar=\" \")", (s, width, fill) => pad(s, width, fill, "left")),
  define("rpartition(s, sep)", (s, by) => partition(s, text(by), s.lastIndexOf(by), true)),
  define("rsplit(s, sep=null, maxsplit=-1)", (s, by, limit) => split(s, by, whole(limit), true)),
  define("rstrip(s, chars=null)", (s, chars) => strip(s, chars, false, true)),
  define("split(s, sep=null, maxsplit=-1)", (s, by, limit) => split(s, by, whole(limit), false)),
  define("splitlines(s, keepends=false)", (s, keep) => new List(splitLines(s, keep))),
  define("startswith(s, prefix, start=null, end=null)",
    (s, given, start, end) => affix(s, given, start, end, (inside, start) => inside.startsWith(start))),
  define("strip(s, chars=null)", (s, chars) => strip(s, chars, true, true)),
  define("swapcase(s)",
    (s) =>
      characters(s).map((char) => (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase())).join("")),
  define("title(s)", title), define("translate(s, table)", (s, table) =>
    characters(s).map((char) => {
      const by = table instanceof Dict ? table.get(char.codePointAt(0)!) : undefined;
      return by === undefined ? char : by === null ? "" : typeof by === "number" ? String.fromCodePoint(by) : str(by);
    }).join("")), define("upper(s)", (s) => s.toUpperCase()), define("zfill(s, width)", (s, width) => {
    const sign = /^[+-]/.exec(s)?.[0] ?? "";
    return sign + pad(s.slice(sign.length), whole(width) - sign.length, "0", "left");
  })]);

function found(at: number): number {
  return at < 0 ? fail("substring not found") : at;
}

function partition(s: string, by: string, at: number, last: boolean): Tuple {
  if (by === "") fail("empty separator");
  if (at < 0) return new Tuple(last ? ["", "", s] : [s, "", ""]);
  return new Tuple([s.slice(0, at), by, s.slice(at + by.length)]);
}
