import { spend, TemplateError } from "./budget.js";
import { define } from "./define.js";
import { formatValue } from "./format.js";
import { repr, str } from "./representation.js";
import { STRING_METHODS } from "./string-methods.js";
import { Callable, characters, Dict, equal, Float, isWhole, iterate, List, Loop, Namespace, number, orElse, Range,
  refuse, Slice, Tuple, typeName, Undefined, type Value, View, whole } from "./values.js";

/** `value.name`: an attribute first, then an entry, as jinja2's sandbox looks. */
export function attribute(of: Value, name: string): Value {
  if (of instanceof Undefined) refuse(of);
  return orElse(own(of, name), () => orElse(entry(of, name), () => missing(of, name)));
}

/** `value[at]`: an entry first, then an attribute. */
export function item(of: Value, at: Value): Value {
  if (of instanceof Undefined) refuse(of);
  if (at instanceof Slice) return slice(of, at.parts);
  return orElse(entry(of, at), () => orElse(typeof at === "string" ? own(of, at) : undefined, () => missing(of, at)));
}

function missing(of: Value, at: Value): Undefined {
  return new Undefined(
    typeof at === "string"
      ? `'${typeName(of)} object' has no attribute '${at.slice(0, 80)}'`
      : `${typeName(of)} object has no element ${repr(at).slice(0, 80)}`,
  );
}

function sequence(of: Value): readonly Value[] | undefined {
  if (typeof of === "string") return characters(of);
  return of instanceof List || of instanceof Tuple ? of.items : of instanceof Range ? iterate(of) : undefined;
}

function entry(of: Value, at: Value): Value | undefined {
  if (of instanceof Dict)
    return at instanceof List || at instanceof Dict || at instanceof Slice ? undefined : of.get(at);
  if (!isWhole(at)) return undefined;
  const items = sequence(of);
  return items?.[Number(at) < 0 ? Number(at) + items.length : Number(at)];
}

function slice(of: Value, parts: readonly Value[]): Value {
  const items = sequence(of);
  if (!items) throw new TemplateError(`'${typeName(of)}' object has no slices`);
  const [start, stop, by] = parts.map((part) => (part === null ? undefined : whole(part, "a slice index")));
  const step = by ?? 1;
  if (step === 0) throw new TemplateError("slice step cannot be zero");
  const [low, high] = step > 0 ? [0, items.length] : [-1, items.length - 1];
  const place = (at: number | undefined, standard: number) =>
    at === undefined ? standard : Math.max(low, Math.min(high, at < 0 ? at + items.length : at));
  const end = place(stop, step > 0 ? high : low);
  if (of instanceof Range) {
    const from = place(start, step > 0 ? low : high);
    return new Range(of.start + from * of.step, of.start + end * of.step, of.step * step);
  }
  const taken: Value[] = [];
  for (let i = place(start, step > 0 ? low : high); step > 0 ? i < end : i > end; i += step) taken.push(items[i]);
  spend(taken.length);
  return typeof of === "string" ? taken.join("") : of instanceof Tuple ? new Tuple(taken) : new List(taken);
}

const CHANGING = new Set(["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove", "popitem",
  "setdefault", "update"]);

function own(of: Value, name: string): Value | undefined {
  if (name.startsWith("_")) return undefined;
  if (typeof of === "string") {
    if (name === "format" || name === "format_map")
      return new Callable(name, (args, named) =>
        name === "format" ? format(of, args, named) : format(of, [], new Map(mapEntries(args[0]))));
    const method = STRING_METHODS.get(name);
    return method && new Callable(name, (args, named) => method([of, ...args], named));
  }
  if (of instanceof Namespace) return of.members.get(name);
  if (of instanceof Loop) return of.member(name);
  if (of instanceof Callable) return of.members.get(name);
  if (of instanceof Tuple && of.names.includes(name)) return of.items[of.names.indexOf(name)];
  if ((of instanceof List || of instanceof Dict) && CHANGING.has(name)
    && (of instanceof List
      ? !["popitem", "setdefault", "update"].includes(name)
      : ["clear", "pop", "popitem", "setdefault", "update"].includes(name)))
    return new Callable(name, () => {
      throw new TemplateError(`access to attribute '${name}' of '${typeName(of)}' object is unsafe`);
    });
  if (of instanceof Dict) return dictMethod(of, name);
  if (of instanceof List || of instanceof Tuple || of instanceof Range) return sequenceMethod(of, name);
  if (of instanceof Float) {
    if (name === "is_integer") return new Callable(name, () => Number.isInteger(of.value));
    if (name === "real") return of;
    return name === "imag" ? new Float(0) : undefined;
  }
  if (isWhole(of)) {
    if (name === "real" || name === "numerator") return Number(of);
    if (name === "imag") return 0;
    if (name === "denominator") return 1;
    if (name === "bit_length") return new Callable(name, () => number(of).toString(2).replace(/^-?0?/, "").length);
  }
  return undefined;
}

function mapEntries(value: Value): [string, Value][] {
  if (!(value instanceof Dict)) throw new TemplateError("format_map() takes a dict");
  return value.keys.map((key) => [str(key), value.get(key)!]);
}

function dictMethod(of: Dict, name: string): Callable | undefined {
  if (name === "items" || name === "keys" || name === "values")
    return new Callable(name, () => new View(`dict_${name}`, of));
  const methods = new Map([define("get(key, default=null)", (key, standard) => orElse(of.get(key), () => standard)),
    define("copy()", () => new Dict(of.keys.map((key) => [key, of.get(key)!]))),
    define("fromkeys(keys, value=null)", (keys, value) => new Dict(iterate(keys).map((key) => [key, value])))]);
  const method = methods.get(name);
  return method && new Callable(name, method);
}

function sequenceMethod(of: List | Tuple | Range, name: string): Callable | undefined {
  const items = () => (of instanceof Range ? iterate(of) : of.items);
  if (name === "count")
    return new Callable(name, ([value]) => items().filter((each) => equal(each, value)).length);
  if (name === "copy" && of instanceof List) return new Callable(name, () => new List(of.items));
  if (name !== "index") return undefined;
  return new Callable(name, ([value, start = 0, end = Infinity]) => {
    const all = items();
    const from = Number(start) < 0 ? Number(start) + all.length : Number(start);
    const at = all.findIndex((each, i) => i >= from && i < Number(end) && equal(each, value));
    if (at < 0) throw new TemplateError(`${repr(value).slice(0, 80)} is not in ${typeName(of)}`);
    return at;
  });
}

/** Python's str.format, in the sandbox: attributes as templates see them. */
function format(template: string, args: readonly Value[], named: ReadonlyMap<string, Value>, depth = 0): string {
  let used = 0;
  if (depth > 2) throw new TemplateError("Max string recursion exceeded");
  const field = (path: string): Value => {
    const [, first, rest] = /^([^.[]*)(.*)$/s.exec(path)!;
    let value: Value | undefined = first === ""
      ? args[used++]
      : /^\d+$/.test(first)
      ? args[Number(first)]
      : named.get(first);
    if (value === undefined) throw new TemplateError(`Replacement '${first.slice(0, 80)}' is not given to format()`);
    for (const [, name, at] of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g))
      value = name === undefined ? item(value, /^\d+$/.test(at) ? Number(at) : at) : attribute(value, name);
    return value;
  };
  let out = "";
  for (let i = 0; i < template.length; i++) {
    const char = template[i];
    if ((char === "{" || char === "}") && template[i + 1] === char) {
      out += char;
      i++;
    } else if (char === "{") {
      let open = 1;
      let end = i;
      while (open > 0 && ++end < template.length) open += template[end] === "{" ? 1 : template[end] === "}" ? -1 : 0;
      if (open > 0) throw new TemplateError("expected '}' before end of string");
      const [, path, conversion, spec = ""] = /^([^!:]*)(?:!([rsa]))?(?::(.*))?$/s.exec(template.slice(i + 1, end))
        ?? (() => {
          throw new TemplateError("a replacement field cannot be read");
        })();
      const value = field(path);
      const inner = spec.includes("{") ? format(spec, args.slice(used), named, depth + 1) : spec;
      out += formatValue(conversion === undefined ? value : conversion === "s" ? str(value) : repr(value), inner);
      i = end;
    } else if (char === "}") throw new TemplateError("Single '}' encountered in format string");
    else out += char;
  }
  return out;
}
