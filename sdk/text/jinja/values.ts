import { spend, TemplateError } from "./budget.js";

/** Python's values as templates see them. Whole numbers are JavaScript's, fractions are Float. */
export type Value = null | boolean | number | string | Thing;
export type Thing = Float | List | Tuple | Dict | View | Range | Once | Undefined | Callable | Namespace | Loop | Slice;

export class Float {
  constructor(readonly value: number) {}
}
export class List {
  constructor(readonly items: readonly Value[]) {}
}
/** @param names of the items, where they have some */
export class Tuple {
  constructor(readonly items: readonly Value[], readonly names: readonly string[] = []) {}
}
/** What iterates once: the result of map, select and their like. */
export class Once {
  #items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.#items = items;
  }
  take(count = Infinity): readonly Value[] {
    const taken = this.#items.slice(0, count);
    this.#items = this.#items.slice(taken.length);
    return taken;
  }
}
/** What is not there; most uses of it are errors. */
export class Undefined {
  constructor(readonly why: string) {}
}
export class Range {
  constructor(readonly start: number, readonly stop: number, readonly step: number) {}
  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }
}
export class Slice {
  constructor(readonly parts: readonly Value[]) {}
}
export class Namespace {
  readonly members = new Map<string, Value>();
}
export type Named = ReadonlyMap<string, Value>;
export class Callable {
  /** @param members attributes of the function */
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], named: Named) => Value,
    readonly members: ReadonlyMap<string, Value> = new Map(),
  ) {}
}
/** `loop` in a for loop: attributes, and a function in recursive ones. */
export class Loop {
  constructor(readonly member: (name: string) => Value | undefined, readonly call: (args: readonly Value[]) => Value) {}
}

export class Dict {
  readonly #entries = new Map<unknown, [Value, Value]>();
  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(hash(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(hash(key));
  }
  set(key: Value, value: Value): void {
    const hashed = hash(key);
    this.#entries.set(hashed, [this.#entries.get(hashed)?.[0] ?? key, value]);
  }
  get keys(): Value[] {
    return [...this.#entries.values()].map(([key]) => key);
  }
  get values(): Value[] {
    return [...this.#entries.values()].map(([, value]) => value);
  }
  get items(): Value[] {
    return [...this.#entries.values()].map((entry) => new Tuple(entry));
  }
}
/** `dict.items()` and its like: iterates anew each time, has a length and no places. */
export class View {
  constructor(readonly name: "dict_keys" | "dict_values" | "dict_items", readonly of: Dict) {}
  get items(): Value[] {
    return this.name === "dict_keys" ? this.of.keys : this.name === "dict_values" ? this.of.values : this.of.items;
  }
}

/** What equal keys of a dict have in common: 1, 1.0 and True are one key. */
export function hash(key: Value): unknown {
  if (typeof key === "string") return `s${key}`;
  if (isNumber(key)) return number(key);
  if (key instanceof Tuple) return `t${key.items.map((item) => tagged(hash(item))).join()}`;
  if (key instanceof List || key instanceof Dict || key instanceof Slice)
    throw new TemplateError(`unhashable type: '${typeName(key)}'`);
  return key;
}
const tagged = (hashed: unknown) => (typeof hashed === "string" ? JSON.stringify(hashed) : String(hashed));

const NAMES: [new(...given: never[]) => Thing, string][] = [[Float, "float"], [List, "list"], [Tuple, "tuple"], [Dict,
  "dict"], [Range, "range"], [Once, "generator"], [Undefined, "Undefined"], [Callable, "function"], [Namespace,
  "Namespace"], [Loop, "LoopContext"], [Slice, "slice"]];

export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (value instanceof View) return value.name;
  const primitive = { string: "str", boolean: "bool", number: "int" }[typeof value as string];
  return primitive ?? NAMES.find(([kind]) => value instanceof kind)?.[1] ?? "object";
}

/** None is null here, so `??` would take it for nothing. */
export const orElse = <T>(value: Value | undefined, otherwise: () => T): Value | T =>
  value === undefined ? otherwise() : value;

export const isNumber = (value: Value): value is number | boolean | Float =>
  typeof value === "number" || typeof value === "boolean" || value instanceof Float;
export const number = (value: number | boolean | Float): number => Number(value instanceof Float ? value.value : value);
export const isWhole = (value: Value): value is number | boolean =>
  typeof value === "number" || typeof value === "boolean";

export function whole(value: Value, what = "a number"): number {
  if (isWhole(value)) return Number(value);
  throw new TemplateError(`${what} must be an integer, not ${typeName(value)}`);
}

export function refuse(value: Value): never {
  throw new TemplateError(value instanceof Undefined ? value.why : `a '${typeName(value)}' cannot be used here`);
}

export function truth(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === "" || value instanceof Undefined) return false;
  if (value instanceof Float) return value.value !== 0;
  return lengthOf(value) !== 0;
}

/** undefined for what has none */
export function lengthOf(value: Value): number | undefined {
  if (typeof value === "string") return SURROGATE.test(value) ? [...value].length : value.length;
  if (value instanceof List || value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.of.size;
  if (value instanceof Range) return value.length;
  return value instanceof Undefined ? 0 : undefined;
}
const SURROGATE = /[\ud800-\udfff]/;

/** Code points, as Python counts them. */
export function characters(text: string): string[] {
  spend(text.length);
  return SURROGATE.test(text) ? [...text] : text.split("");
}

/** @throws TemplateError for what does not iterate */
export function iterate(value: Value): readonly Value[] {
  if (typeof value === "string") return characters(value);
  if (value instanceof Undefined) return [];
  if (value instanceof Once) return value.take();
  if (value instanceof Range) {
    spend(value.length);
    return Array.from({ length: value.length }, (_, i) => value.start + i * value.step);
  }
  if (value instanceof Loop) return [];
  const items = value instanceof Dict
    ? value.keys
    : value instanceof View || value instanceof List || value instanceof Tuple
    ? value.items
    : undefined;
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  spend(items.length);
  return items;
}

export function equal(a: Value, b: Value): boolean {
  spend();
  if (isNumber(a) && isNumber(b)) return number(a) === number(b);
  if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple))
    return a.items.length === b.items.length && a.items.every((item, i) => equal(item, b.items[i]));
  if (a instanceof Dict && b instanceof Dict)
    return a.size === b.size && a.keys.every((key) => b.has(key) && equal(a.get(key)!, b.get(key)!));
  if (a instanceof Range && b instanceof Range)
    return equal(new List(iterate(a)), new List(iterate(b)));
  return a === b || (a instanceof Undefined && b instanceof Undefined);
}

/** Negative, zero or positive; NaN where NaN is compared. @throws TemplateError for kinds that have no order */
export function order(a: Value, b: Value): number {
  spend();
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [number(a), number(b)];
    return x < y ? -1 : x > y ? 1 : x === y ? 0 : NaN;
  }
  if (typeof a === "string" && typeof b === "string") return a === b ? 0 : isBefore(a, b) ? -1 : 1;
  if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple)) {
    const at = a.items.findIndex((item, i) => i >= b.items.length || !equal(item, b.items[i]));
    return at < 0 ? a.items.length - b.items.length : at >= b.items.length ? 1 : order(a.items[at], b.items[at]);
  }
  if (a instanceof Undefined || b instanceof Undefined) refuse(a instanceof Undefined ? a : b);
  throw new TemplateError(`'${typeName(a)}' and '${typeName(b)}' have no order`);
}

/** By code points; UTF-16 puts what is beyond U+FFFF before U+E000. */
function isBefore(a: string, b: string): boolean {
  if (!SURROGATE.test(a) && !SURROGATE.test(b)) return a < b;
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((char, i) => char !== right[i]);
  return at < 0 || (at < right.length && left[at].codePointAt(0)! < right[at].codePointAt(0)!);
}

const MAX_DEPTH = 400;

/** JSON-like values of JavaScript as Python's json reads them. @throws TemplateError for anything else */
export function fromJavaScript(value: unknown, depth = 0): Value {
  if (depth > MAX_DEPTH) throw new TemplateError(`a value has more than ${MAX_DEPTH} levels`);
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (value === undefined) return null;
  if (typeof value === "number") return Number.isSafeInteger(value) ? value + 0 : new Float(value);
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return new List(value.map((item) => fromJavaScript(item, depth + 1)));
  if (typeof value === "object")
    return new Dict(
      (value instanceof Map ? [...value] : Object.entries(value)).filter(([, of]) => of !== undefined).map(
        ([key, of]) => [fromJavaScript(key), fromJavaScript(of, depth + 1)]
      ),
    );
  throw new TemplateError(`a ${typeof value} is given; accepted are JSON values`);
}
