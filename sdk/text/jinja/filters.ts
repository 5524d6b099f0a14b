import { attribute, item } from "./attributes.js";
import { spend, spendText, TemplateError } from "./budget.js";
import { type Call, define } from "./define.js";
import { percent } from "./format.js";
import { fileSize, round, toFloat, toWhole } from "./number-filters.js";
import { binary } from "./operators.js";
import { json, str } from "./representation.js";
import { join, splitLines, STRING_METHODS, strip, text } from "./string-methods.js";
import { characters, Dict, equal, Float, hash, isWhole, iterate, lengthOf, List, Once, order, orElse, Range, truth,
  Tuple, typeName, Undefined, type Value, View, whole } from "./values.js";

/** By which filters and tests find others by name. */
export interface Names {
  filter(name: string): Call;
  test(name: string): Call;
}

const nothing = new Map<string, Value>();
const method = (name: string): Call => (args, named) =>
  STRING_METHODS.get(name)!([str(args[0]), ...args.slice(1)], named);

function fail(message: string): never {
  throw new TemplateError(message);
}

/** Reads "a.b.0" or a number from each item. */
function getter(path: Value, standard: Value | null = null, lower = false): (of: Value) => Value {
  const parts: Value[] = path === null
    ? []
    : isWhole(path)
    ? [path]
    : str(path).split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return (of) => {
    let value = of;
    for (const part of parts) {
      value = item(value, part);
      if (value instanceof Undefined && standard !== null) value = standard;
    }
    return lower && typeof value === "string" ? value.toLowerCase() : value;
  };
}

function sorted(items: readonly Value[], key: (of: Value) => Value, reverse: Value): Value[] {
  const keyed = items.map((value) => ({ value, key: key(value) }));
  const sign = truth(reverse) ? -1 : 1;
  return keyed.sort((a, b) => sign * order(a.key, b.key)).map(({ value }) => value);
}

function extreme(sign: 1 | -1): (value: Value, sensitive: Value, path: Value) => Value {
  return (value, sensitive, path) => {
    const items = iterate(value);
    if (items.length === 0) return new Undefined("No aggregated item, sequence was empty.");
    const key = getter(path, null, !truth(sensitive));
    return items.reduce((best, each) => (sign * order(key(each), key(best)) < 0 ? each : best));
  };
}

/** select, reject and their forms that look at an attribute. */
function selecting(names: Names, keep: boolean, byAttribute: boolean): Call {
  return ([value, ...args], named) => {
    if (!truth(value)) return new Once([]);
    if (byAttribute && args.length === 0) fail("Missing parameter for attribute name");
    const read = byAttribute ? getter(args[0]) : (of: Value) => of;
    const [name, ...rest] = byAttribute ? args.slice(1) : args;
    const test = name === undefined ? undefined : names.test(text(name));
    return new Once(
      iterate(value).filter((each) => truth(test ? test([read(each), ...rest], named) : read(each)) === keep),
    );
  };
}

function mapping(names: Names): Call {
  return ([value, name, ...args], named) => {
    if (!truth(value)) return new Once([]);
    const filter = name === undefined ? undefined : names.filter(text(name));
    if (!filter && !named.has("attribute")) fail("map requires a filter argument");
    const read = filter
      ? (of: Value) => filter([of, ...args], named)
      : getter(named.get("attribute")!, named.get("default") ?? null);
    return new Once(iterate(value).map(read));
  };
}

const ENTITIES: Record<string, string> = { "&": "&amp;", ">": "&gt;", "<": "&lt;", "'": "&#39;", "\"": "&#34;" };
const escape = (value: Value) => {
  const written = str(value);
  spendText(written.length * 2);
  return written.replace(/[&<>'"]/g, (char) => ENTITIES[char]);
};
const quote = (value: Value) =>
  encodeURIComponent(str(value)).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function groups(value: Value, path: Value, standard: Value, sensitive: Value): List {
  const exact = getter(path, standard);
  const key = getter(path, standard, !truth(sensitive));
  const found: { key: Value; items: Value[] }[] = [];
  for (const each of sorted(iterate(value), key, false)) {
    const last = found[found.length - 1];
    if (last && equal(last.key, key(each))) last.items.push(each);
    else found.push({ key: key(each), items: [each] });
  }
  return new List(found.map(({ items }) => new Tuple([exact(items[0]), new List(items)], ["grouper", "list"])));
}

function chunks(value: Value, fill: Value, sizes: (total: number) => number[]): Once {
  const items = iterate(value);
  let at = 0;
  const wanted = sizes(items.length);
  const longest = Math.max(...wanted, 0);
  return new Once(wanted.map((size) => {
    const chunk = items.slice(at, at += size);
    return new List(
      fill === null || chunk.length === longest
        ? chunk
        : [...chunk, ...Array.from({ length: longest - chunk.length }, () => fill)],
    );
  }));
}

function spaces(width: Value): string {
  spendText(whole(width));
  return " ".repeat(Math.max(0, whole(width)));
}

function indent(s: Value, width: Value, first: Value, blank: Value): string {
  const by = typeof width === "string" ? width : spaces(width);
  const lines = splitLines(`${text(s)}\n`, false);
  spendText(lines.length * by.length);
  const body = truth(blank)
    ? lines.join(`\n${by}`)
    : lines.map((line, i) => (i > 0 && line !== "" ? by + line : line)).join("\n");
  return truth(first) ? by + body : body;
}

function truncate(value: Value, length: Value, kill: Value, end: Value, leeway: Value): Value {
  const [limit, ending] = [whole(length), text(end)];
  if (limit < ending.length) fail(`expected length >= ${ending.length}, got ${limit}`);
  const size = lengthOf(value);
  if (size !== undefined && size <= limit + (leeway === null ? 5 : whole(leeway))) return value;
  const s = characters(text(value));
  const cut = s.slice(0, limit - lengthOf(ending)!).join("");
  const at = cut.lastIndexOf(" ");
  return (truth(kill) || at < 0 ? cut : cut.slice(0, at)) + ending;
}

function reversed(value: Value): Value {
  if (typeof value === "string") return characters(value).reverse().join("");
  return new Once([...iterate(value)].reverse());
}

function tojson(value: Value, ascii: Value, indent: Value, separators: Value, sortKeys: Value): string {
  const pair = separators === null ? undefined : iterate(separators).map(str) as unknown as [string, string];
  const margin = indent === null ? undefined : typeof indent === "string" ? indent : spaces(indent);
  return json(value, { ascii: truth(ascii), indent: margin, separators: pair, sortKeys: truth(sortKeys) });
}

/** jinja2's filters, and `tojson` as transformers replaces it. Those that draw at random or wrap HTML are left out. */
export const filters = (names: Names): ReadonlyMap<string, Call> =>
  new Map<string, Call>([
    define("abs(x)", (x) =>
      isWhole(x)
        ? Math.abs(Number(x))
        : x instanceof Float
        ? new Float(Math.abs(x.value))
        : fail(`bad operand type for abs(): '${typeName(x)}'`)),
    define("attr(obj, name)", (of, name) => {
      const found = attribute(of, text(name));
      return of instanceof Dict && !(found instanceof Undefined) && of.get(name) === found
        ? new Undefined(`no attribute '${name}'`)
        : found;
    }),
    define("batch(value, linecount, fill_with=null)", (value, count, fill) => {
      const size = whole(count);
      return chunks(value, fill, (total) =>
        total === 0
          ? []
          : Array.from({ length: Math.ceil(total / size) }, (_, i) =>
            fill === null || size > total ? Math.min(size, total - i * size) : size));
    }),
    ["capitalize", method("capitalize")],
    define("center(value, width=80)", (s, width) => method("center")([s, width], nothing)),
    ...["count", "length"].map((name) =>
      define(`${name}(value)`, (value) => lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`))
    ),
    ...["d", "default"].map((name) =>
      define(`${name}(value, default_value="", boolean=false)`, (value, standard, any) =>
        value instanceof Undefined || (truth(any) && !truth(value)) ? standard : value)
    ),
    define("dictsort(value, case_sensitive=false, by=\"key\", reverse=false)", (of, sensitive, by, reverse) => {
      if (!(of instanceof Dict)) fail(`'${typeName(of)}' object has no items`);
      if (by !== "key" && by !== "value") fail("You can only sort by either \"key\" or \"value\"");
      return new List(sorted(of.items, getter(by === "key" ? 0 : 1, null, !truth(sensitive)), reverse));
    }),
    ...["e", "escape", "forceescape"].map((name) => define(`${name}(value)`, escape)),
    define("filesizeformat(value, binary=false)", fileSize),
    define("first(seq)", (of) =>
      orElse((of instanceof Once ? of.take(1) : iterate(of))[0], () =>
        new Undefined("No first item, sequence was empty."))),
    define("float(value, default=0.0)", (value, standard) => {
      const read = toFloat(value);
      return read === undefined ? (standard === 0 ? new Float(0) : standard) : new Float(read);
    }),
    ["format", ([value, ...args], named) => {
      if (args.length > 0 && named.size > 0)
        fail("can't handle positional and keyword arguments at the same time");
      return percent(str(value), named.size > 0 ? new Dict(named) : new Tuple(args));
    }],
    define("groupby(value, attribute, default=null, case_sensitive=false)", groups),
    define("indent(s, width=4, first=false, blank=false)", indent),
    define("int(value, default=0, base=10)", toWhole),
    define("items(value)", (of) =>
      of instanceof Undefined
        ? new Once([])
        : of instanceof Dict
        ? new Once(of.items)
        : fail("Can only get item pairs from a mapping.")),
    define("join(value, d=\"\", attribute=null)", (value, by, path) =>
      join(str(by), iterate(value).map((each) => str(path === null ? each : getter(path)(each))))),
    define("last(seq)", (of) => {
      if (of instanceof Once) fail("'generator' object is not reversible");
      const items = iterate(of);
      return orElse(items[items.length - 1], () => new Undefined("No last item, sequence was empty."));
    }),
    define("list(value)", (value) => new List(iterate(value))),
    ["lower", method("lower")],
    ["map", mapping(names)],
    define("max(value, case_sensitive=false, attribute=null)", extreme(-1)),
    define("min(value, case_sensitive=false, attribute=null)", extreme(1)),
    ["reject", selecting(names, false, false)],
    ["rejectattr", selecting(names, false, true)],
    define("replace(s, old, new, count=null)", (s, old, by, count) =>
      method("replace")([s, str(old), str(by), count ?? -1], nothing)),
    define("reverse(value)", reversed),
    define("round(value, precision=0, method=\"common\")", (value, precision, how) =>
      round(value, whole(precision), how)),
    define("safe(value)", str),
    ["select", selecting(names, true, false)],
    ["selectattr", selecting(names, true, true)],
    define("slice(value, slices, fill_with=null)", (value, count, fill) => {
      spend(Math.max(0, whole(count)));
      return chunks(value, fill, (total) =>
        Array.from({ length: Math.max(0, whole(count)) }, (_, i) =>
          Math.floor(total / count) + (i < total % count ? 1 : 0)));
    }),
    define("sort(value, reverse=false, case_sensitive=false, attribute=null)", (value, reverse, sensitive, path) => {
      const keys = typeof path === "string" ? path.split(",") : [path];
      const reads = keys.map((key) =>
        getter(key, null, !truth(sensitive))
      );
      return new List(sorted(iterate(value), (of) => new List(reads.map((read) => read(of))), reverse));
    }),
    define("string(value)", str),
    define("sum(iterable, attribute=null, start=0)",
      (value, path, start) => iterate(value).map(getter(path)).reduce((sum, each) => binary("+", sum, each), start)),
    define("title(s)", (s) =>
      str(s).split(new RegExp("([-\\s({\\[<]+)")).map((word) =>
        word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase()
      ).join("")),
    define("tojson(x, ensure_ascii=false, indent=null, separators=null, sort_keys=false)", tojson),
    define("trim(value, chars=null)", (s, chars) => strip(str(s), chars, true, true)),
    define("truncate(s, length=255, killwords=false, end=\"...\", leeway=null)", truncate),
    define("unique(value, case_sensitive=false, attribute=null)", (value, sensitive, path) => {
      const key = getter(path, null, !truth(sensitive));
      const seen = new Set<unknown>();
      return new Once(iterate(value).filter((each) => {
        const hashed = hash(key(each));
        return !seen.has(hashed) && !!seen.add(hashed);
      }));
    }),
    ["upper", method("upper")],
    define("urlencode(value)", (value) => {
      if (typeof value === "string"
        || !(value instanceof Dict || value instanceof List || value instanceof Tuple
          || value instanceof View || value instanceof Once || value instanceof Range))
        return quote(value).replace(/%2F/g, "/");
      return iterate(value instanceof Dict ? new List(value.items) : value).map((pair) =>
        iterate(pair).map((each) => quote(each).replace(/%20/g, "+")).join("=")
      ).join("&");
    }),
    define("wordcount(s)", (s) => (str(s).match(/[\p{L}\p{N}_\p{M}]+/gu) ?? []).length),
    define("xmlattr(d, autospace=true)", (of, space) => {
      if (!(of instanceof Dict)) fail(`'${typeName(of)}' object has no items`);
      const pairs = of.keys.map((key) => [key, of.get(key)!]).filter(([, value]) =>
        value !== null && !(value instanceof Undefined)
      );
      for (const [key] of pairs) if (/[\s/>=]/.test(text(key))) fail("Invalid character in attribute name");
      const written = pairs.map(([key, value]) => `${escape(key)}="${escape(value)}"`).join(" ");
      return truth(space) && written ? ` ${written}` : written;
    }),
  ]);
