import { TemplateError } from "./budget.js";
import { type Call, define } from "./define.js";
import { str } from "./representation.js";
import { strftime } from "./strftime.js";
import { Callable, Dict, iterate, Loop, type Named, Namespace, Range, typeName, type Value, whole } from "./values.js";

/** The sandbox of jinja2 makes no longer ones. */
const MAX_RANGE = 100_000;

function range(args: readonly Value[]): Range {
  if (args.length < 1 || args.length > 3) throw new TemplateError(`range takes 1 to 3 arguments, not ${args.length}`);
  const [a, b, c] = args.map((each) => whole(each, "a range's end"));
  const made = b === undefined ? new Range(0, a, 1) : new Range(a, b, c ?? 1);
  if (made.step === 0) throw new TemplateError("range() arg 3 must not be zero");
  if (made.length > MAX_RANGE) throw new TemplateError(`Range too big: ${made.length}, above ${MAX_RANGE}`);
  return made;
}

function dict(args: readonly Value[], named: Named): Dict {
  const made = new Dict();
  for (const from of args) {
    if (from instanceof Dict) { for (const key of from.keys) made.set(key, from.get(key)!); }
    else for (const pair of iterate(from)) {
        const [key, value, ...more] = iterate(pair);
        if (value === undefined || more.length > 0) throw new TemplateError("dict() takes pairs");
        made.set(key, value);
      }
  }
  for (const [key, value] of named) made.set(key, value);
  return made;
}

function namespace(args: readonly Value[], named: Named): Namespace {
  const made = new Namespace();
  const given = dict(args, named);
  for (const key of given.keys) member(made, str(key), given.get(key)!);
  return made;
}

/** Sets a member. @throws TemplateError for what is no namespace, and names that begin with an underscore */
export function member(of: Value, name: string, value: Value): void {
  if (!(of instanceof Namespace)) throw new TemplateError(`cannot assign attribute on ${typeName(of)}`);
  if (name.startsWith("_")) throw new TemplateError(`a namespace holds no '${name}'`);
  of.members.set(name, value);
}

function cycler(items: readonly Value[]): Loop {
  if (items.length === 0) throw new TemplateError("at least one item has to be provided");
  let at = 0;
  const next = () => items[at++ % items.length];
  const members: Record<string, () => Value> = { current: () => items[at % items.length],
    next: () => new Callable("next", next), reset: () =>
      new Callable("reset", () => {
        at = 0;
        return null;
      }) };
  return new Loop((name) => (Object.hasOwn(members, name) ? members[name]() : undefined), next);
}

const functions: [string, Call][] = [["range", range], ["dict", dict], ["namespace", namespace], ["cycler", cycler],
  define("joiner(sep=\", \")", (by) => {
    let used = false;
    return new Callable("joiner", () => (used ? by : (used = true, "")));
  }), define("raise_exception(message)", (message) => {
    throw new TemplateError(str(message));
  }), define("strftime_now(format)", (format) => strftime(str(format), new Date()))];

/** What every template finds: jinja2's functions and those of transformers. */
export const GLOBALS: ReadonlyMap<string, Value> = new Map(
  functions.map(([name, call]) => [name, new Callable(name, call)]),
);
