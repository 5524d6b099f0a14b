import { attribute, item } from "./attributes.js";
import { spend, spendText, TemplateError, withBudget } from "./budget.js";
import type { Call } from "./define.js";
import { filters, type Names } from "./filters.js";
import { member } from "./globals.js";
import { makeLoop } from "./loop.js";
import type { Arguments, Node, Signature, Statement, Target } from "./nodes.js";
import { binary, COMPARISONS, negate } from "./operators.js";
import { parse } from "./parse.js";
import { str } from "./representation.js";
import { mentions, Scope } from "./scope.js";
import { tests } from "./tests.js";
import { Callable, Dict, Float, fromJavaScript, iterate, List, Loop, orElse, refuse, Slice, truth, Tuple, typeName,
  Undefined, type Value } from "./values.js";

/** Macros and loops within each other; Python's limit ends jinja2 at about as many. */
const MAX_CALLS = 200;

const names: Names = { filter: (name) => FILTERS.get(name) ?? unknown("filter", name),
  test: (name) => TESTS.get(name) ?? unknown("test", name) };
const FILTERS = filters(names);
const TESTS = tests((kind, name) => (kind === "filter" ? FILTERS : TESTS).has(name as string));

function unknown(kind: string, name: string): never {
  throw new TemplateError(`there is no ${kind} named '${name.slice(0, 80)}'`);
}

type Ends = "break" | "continue" | undefined;

/**
 * Renders a Jinja template as jinja2 does with the environment that transformers gives to chat templates: a sandbox in
 * which nothing changes, trim_blocks, lstrip_blocks, loop controls. Values print as Python prints them. Steps, levels
 * and length of texts have limits.
 *
 * @throws TemplateError
 * @example render("{{ items | length }} {{ items }}", { items: ["a", true] })  // "2 ['a', True]"
 */
export function render(template: string, variables: Readonly<Record<string, unknown>>): string {
  return withBudget(() => {
    const top = new Scope();
    for (const [name, value] of Object.entries(variables)) top.set(name, fromJavaScript(value));
    return new Rendering(top).text(parse(template), top);
  });
}

class Rendering {
  #calls = 0;
  constructor(readonly top: Scope) {}

  text(body: readonly Statement[], scope: Scope): string {
    const out: string[] = [];
    this.run(body, scope, out);
    spendText(out.reduce((sum, piece) => sum + piece.length, 0));
    return out.join("");
  }

  within<T>(work: () => T): T {
    if (++this.#calls > MAX_CALLS) throw new TemplateError(`more than ${MAX_CALLS} calls and loops within each other`);
    const value = work();
    this.#calls--;
    return value;
  }

  run(body: readonly Statement[], scope: Scope, out: string[]): Ends {
    for (const statement of body) {
      spend();
      const ends = this.statement(statement, scope, out);
      if (ends) return ends;
    }
    return undefined;
  }

  statement(node: Statement, scope: Scope, out: string[]): Ends {
    switch (node.type) {
      case "data":
        print(out, node.text);
        return;
      case "output":
        print(out, str(this.value(node.value, scope)));
        return;
      case "if": {
        const taken = node.branches.find(({ test }) => truth(this.value(test, scope)));
        return this.run(taken?.body ?? node.otherwise, scope, out);
      }
      case "for":
        this.loop(node, this.value(node.items, scope), scope, out, 0);
        return;
      case "set":
        return this.assign(node.target, this.value(node.value, scope), scope);
      case "set-block": {
        const text = this.text(node.body, new Scope(scope));
        return this.assign(node.target, node.filter ? this.value(node.filter, scope, text) : text, scope);
      }
      case "with": {
        const inner = new Scope(scope);
        const values = node.values.map((value) => this.value(value, scope));
        node.targets.forEach((target, i) => this.assign(target, values[i], inner));
        return this.run(node.body, inner, out);
      }
      case "macro":
        scope.set(node.name, this.macro(node.name, node.signature, node.body, scope));
        return;
      case "call-block": {
        const caller = this.macro("caller", node.signature, node.body, scope);
        print(out, str(this.value(node.call, scope, undefined, caller)));
        return;
      }
      case "filter-block":
        print(out, str(this.value(node.filter, scope, this.text(node.body, new Scope(scope)))));
        return;
      case "scope":
        return this.run(node.body, new Scope(node.top ? this.top : scope), out);
      default:
        return node.type;
    }
  }

  assign(target: Target, value: Value, scope: Scope): undefined {
    if (target.type === "name") scope.set(target.name, value);
    else if (target.type === "member") member(scope.get(target.name), target.member, value);
    else {
      const items = iterate(value);
      if (items.length !== target.items.length)
        throw new TemplateError(`${target.items.length} values are expected to unpack, not ${items.length}`);
      target.items.forEach((each, i) => this.assign(each, items[i], scope));
    }
  }

  loop(node: Statement & { type: "for" }, of: Value, scope: Scope, out: string[], depth: number): void {
    this.within(() => {
      let items = iterate(of);
      if (node.test) {
        items = items.filter((value) => {
          const inner = new Scope(scope);
          this.assign(node.target, value, inner);
          return truth(this.value(node.test!, inner));
        });
      }
      if (items.length === 0) return this.run(node.otherwise, new Scope(scope), out);
      const state = { at: 0 };
      const again = (args: readonly Value[]): Value => {
        if (!node.recursive) throw new TemplateError("the loop must have the 'recursive' marker to be called");
        const inside: string[] = [];
        this.loop(node, args[0] ?? null, scope, inside, depth + 1);
        return inside.join("");
      };
      const loop = makeLoop(items, state, depth, again);
      for (; state.at < items.length; state.at++) {
        spend();
        const inner = new Scope(scope);
        inner.set("loop", loop);
        this.assign(node.target, items[state.at], inner);
        if (this.run(node.body, inner, out) === "break") break;
      }
      return undefined;
    });
  }

  macro(name: string, { names, defaults }: Signature, body: readonly Statement[], scope: Scope): Callable {
    const uses = (word: string) => mentions(body, word) || mentions(defaults, word);
    const [takesMore, takesNamed, takesCaller] = ["varargs", "kwargs", "caller"].map((word) =>
      !names.includes(word) && uses(word)
    );
    const members = new Map<string, Value>([["name", name], ["arguments", new Tuple(names)], ["catch_kwargs",
      takesNamed], ["catch_varargs", takesMore], ["caller", takesCaller]]);
    return new Callable(name, (args, named) =>
      this.within(() => {
        const inner = new Scope(scope);
        const rest = new Map(named);
        names.forEach((each, i) => {
          const standard = defaults[i - names.length + defaults.length];
          if (i < args.length && rest.has(each)) throw new TemplateError(`${name} got two values for '${each}'`);
          const value = i < args.length ? args[i] : rest.get(each);
          rest.delete(each);
          inner.set(each, orElse(value, () =>
            standard ? this.value(standard, inner) : new Undefined(`parameter '${each}' was not provided`)));
        });
        if (takesCaller) {
          inner.set("caller", orElse(rest.get("caller"), () => new Undefined("No caller defined")));
          rest.delete("caller");
        }
        if (takesNamed) inner.set("kwargs", new Dict(rest));
        else if (rest.size > 0) throw new TemplateError(`macro '${name}' takes no argument '${[...rest.keys()][0]}'`);
        if (takesMore) inner.set("varargs", new Tuple(args.slice(names.length)));
        else if (args.length > names.length)
          throw new TemplateError(`macro '${name}' takes not more than ${names.length} arguments`);
        return this.text(body, inner);
      }), members);
  }

  /** @param piped what a filter without left side applies to @param caller given to the call */
  value(node: Node, scope: Scope, piped?: Value, caller?: Callable): Value {
    spend();
    switch (node.type) {
      case "const":
        return node.float ? new Float(node.value as number) : node.value;
      case "name":
        return scope.get(node.name);
      case "list":
        return new List(node.items.map((each) => this.value(each, scope)));
      case "tuple":
        return new Tuple(node.items.map((each) => this.value(each, scope)));
      case "dict":
        return new Dict(node.pairs.map(([key, value]) => [this.value(key, scope), this.value(value, scope)] as const));
      case "attribute":
        return attribute(this.value(node.of, scope), node.name);
      case "item":
        return item(this.value(node.of, scope), this.value(node.at, scope));
      case "slice":
        return new Slice(node.parts.map((part) => (part ? this.value(part, scope) : null)));
      case "call": {
        const of = this.value(node.of, scope);
        const { args, named } = this.arguments(node.args, scope);
        if (caller) named.set("caller", caller);
        if (of instanceof Callable || of instanceof Loop) return of.call(args, named);
        return of instanceof Undefined ? refuse(of) : fail(`'${typeName(of)}' object is not callable`);
      }
      case "filter": {
        const of = node.of ? this.value(node.of, scope, piped) : piped!;
        return this.apply(names.filter(node.name), of, node.args, scope);
      }
      case "test":
        return this.apply(names.test(node.name), this.value(node.of, scope), node.args, scope);
      case "not":
        return !truth(this.value(node.of, scope));
      case "negative":
      case "positive":
        return negate(this.value(node.of, scope), node.type === "negative" ? -1 : 1);
      case "and": {
        const left = this.value(node.left, scope);
        return truth(left) ? this.value(node.right, scope) : left;
      }
      case "or": {
        const left = this.value(node.left, scope);
        return truth(left) ? left : this.value(node.right, scope);
      }
      case "binary":
        return binary(node.operator, this.value(node.left, scope), this.value(node.right, scope));
      case "concat": {
        const parts = node.items.map((each) => str(this.value(each, scope)));
        spendText(parts.reduce((sum, part) => sum + part.length, 0));
        return parts.join("");
      }
      case "compare": {
        let left = this.value(node.left, scope);
        for (const { operator, right } of node.rest) {
          const next = this.value(right, scope);
          if (!COMPARISONS[operator](left, next)) return false;
          left = next;
        }
        return true;
      }
      case "condition":
        if (truth(this.value(node.test, scope))) return this.value(node.then, scope);
        return node.otherwise
          ? this.value(node.otherwise, scope)
          : new Undefined("the inline if-expression evaluated to false and no else section was defined");
    }
  }

  apply(call: Call, of: Value, given: Arguments, scope: Scope): Value {
    const { args, named } = this.arguments(given, scope);
    return call([of, ...args], named);
  }

  arguments(given: Arguments, scope: Scope): { args: Value[]; named: Map<string, Value> } {
    const args = given.positional.map((each) => this.value(each, scope));
    if (given.spread) args.push(...iterate(this.value(given.spread, scope)));
    const named = new Map(given.named.map(([key, value]) => [key, this.value(value, scope)]));
    if (given.namedSpread) {
      const more = this.value(given.namedSpread, scope);
      if (!(more instanceof Dict)) fail(`the argument after ** must be a mapping, not ${typeName(more)}`);
      for (const key of more.keys) named.set(str(key), more.get(key)!);
    }
    return { args, named };
  }
}

function print(out: string[], text: string): void {
  spendText(text.length);
  out.push(text);
}

function fail(message: string): never {
  throw new TemplateError(message);
}
