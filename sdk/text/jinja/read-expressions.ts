import type { Arguments, Node } from "./nodes.js";
import type { TokenReader } from "./read-tokens.js";

const BINARY: { [operator: string]: true }[] = [{ "+": true, "-": true }, { "~": true }, { "*": true, "/": true,
  "//": true, "%": true }, { "**": true }];
const COMPARED = new Set(["==", "!=", "<", "<=", ">", ">="]);
/** Names that nothing can be assigned to. */
export const CONSTANTS = new Map<string, boolean | null>([["true", true], ["True", true], ["false", false], ["False",
  false], ["none", null], ["None", null]]);

/** Readers of expressions, after jinja2's grammar. */
export function readExpressions({ peek, next, is, skip, fail, expect, name, nested }: TokenReader) {
  return { tuple, expression, filters };

  function tuple({ conditions = true, until = "", brackets = false } = {}): Node {
    const items: Node[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) expect("operator", ",");
      if (peek().type === "end" || is("operator", ")") || (until && is("name", until))) break;
      items.push(conditions ? expression() : nested(or));
      if (!is("operator", ",")) break;
      isTuple = true;
    }
    if (!isTuple && items.length > 0) return items[0];
    if (!isTuple && !brackets) fail(`expected an expression, got ${JSON.stringify(peek().value)}`);
    return { type: "tuple", items };
  }

  function expression(): Node {
    return nested(() => {
      let value = or();
      while (skip("name", "if")) {
        const test = or();
        value = { type: "condition", test, then: value, otherwise: skip("name", "else") ? expression() : undefined };
      }
      return value;
    });
  }

  function or(): Node {
    let left = and();
    while (skip("name", "or")) left = { type: "or", left, right: and() };
    return left;
  }

  function and(): Node {
    let left = not();
    while (skip("name", "and")) left = { type: "and", left, right: not() };
    return left;
  }

  function not(): Node {
    return skip("name", "not") ? { type: "not", of: nested(not) } : compare();
  }

  function compare(): Node {
    const left = binary(0);
    const rest: { operator: string; right: Node }[] = [];
    for (;;) {
      if (peek().type === "operator" && COMPARED.has(peek().value))
        rest.push({ operator: next().value, right: binary(0) });
      else if (skip("name", "in")) rest.push({ operator: "in", right: binary(0) });
      else if (is("name", "not") && is("name", "in", 1)) {
        next();
        next();
        rest.push({ operator: "not in", right: binary(0) });
      } else return rest.length === 0 ? left : { type: "compare", left, rest };
    }
  }

  /** Sums, then texts put together by ~, products, powers (from the left, unlike Python's). */
  function binary(level: number): Node {
    if (level === BINARY.length) return unary(true);
    let left = binary(level + 1);
    const joined: Node[] = [left];
    while (peek().type === "operator" && BINARY[level][peek().value]) {
      const operator = next().value;
      const right = binary(level + 1);
      if (operator === "~") joined.push(right);
      else left = { type: "binary", operator, left, right };
    }
    return joined.length > 1 ? { type: "concat", items: joined } : left;
  }

  function unary(withFilters: boolean): Node {
    let of: Node;
    if (skip("operator", "-")) of = { type: "negative", of: nested(() => unary(false)) };
    else if (skip("operator", "+")) of = { type: "positive", of: nested(() => unary(false)) };
    else of = primary();
    of = postfix(of);
    if (!withFilters) return of;
    for (;;) {
      if (is("operator", "|")) of = filters(of)!;
      else if (skip("name", "is")) of = test(of);
      else if (is("operator", "(")) of = { type: "call", of, args: callArguments() };
      else return of;
    }
  }

  function primary(): Node {
    const token = next();
    if (token.type === "name")
      return CONSTANTS.has(token.value)
        ? { type: "const", value: CONSTANTS.get(token.value)! }
        : { type: "name", name: token.value };
    if (token.type === "string") {
      let value = token.value;
      while (peek().type === "string") value += next().value;
      return { type: "const", value };
    }
    if (token.type === "integer" || token.type === "float")
      return { type: "const", value: token.number!, float: token.type === "float" };
    if (token.type === "operator" && token.value === "(") {
      const value = nested(() => tuple({ brackets: true }));
      expect("operator", ")");
      return value;
    }
    if (token.type === "operator" && token.value === "[") return { type: "list", items: series("]", expression) };
    if (token.type === "operator" && token.value === "{")
      return { type: "dict", pairs: series("}", () => {
        const key = expression();
        expect("operator", ":");
        return [key, expression()] as [Node, Node];
      }) };
    return fail(`unexpected ${JSON.stringify(token.value)}`, token);
  }

  function series<T>(closing: string, read: () => T): T[] {
    const items: T[] = [];
    while (!is("operator", closing)) {
      if (items.length > 0) expect("operator", ",");
      if (is("operator", closing)) break;
      items.push(read());
    }
    next();
    return items;
  }

  function postfix(start: Node): Node {
    let of = start;
    for (;;) {
      if (skip("operator", ".")) {
        const token = next();
        if (token.type === "name") of = { type: "attribute", of, name: token.value };
        else if (token.type === "integer") of = { type: "item", of, at: { type: "const", value: token.number! } };
        else fail("expected a name or number", token);
      } else if (skip("operator", "[")) {
        const parts = series("]", subscript);
        of = { type: "item", of, at: parts.length === 1 ? parts[0] : { type: "tuple", items: parts } };
      } else if (is("operator", "(")) of = { type: "call", of, args: callArguments() };
      else return of;
    }
  }

  function subscript(): Node {
    const first = is("operator", ":") ? undefined : expression();
    if (!skip("operator", ":")) return first!;
    const part = () => is("operator", ":") || is("operator", "]") || is("operator", ",") ? undefined : expression();
    const parts = [first, part()];
    return { type: "slice", parts: [...parts, skip("operator", ":") ? part() : undefined] };
  }

  function callArguments(): Arguments {
    const args: Arguments = { positional: [], named: [] };
    expect("operator", "(");
    for (let first = true; !is("operator", ")"); first = false) {
      if (!first) expect("operator", ",");
      if (is("operator", ")")) break;
      if (args.namedSpread) fail("nothing may follow **");
      if (skip("operator", "*")) args.spread = expression();
      else if (skip("operator", "**")) args.namedSpread = expression();
      else if (peek().type === "name" && is("operator", "=", 1)) {
        const key = next().value;
        next();
        args.named.push([key, expression()]);
      } else if (args.named.length > 0 || args.spread) fail("an argument without name follows one with");
      else args.positional.push(expression());
    }
    next();
    return args;
  }

  function dotted(): string {
    let read = name();
    while (skip("operator", ".")) read += `.${name()}`;
    return read;
  }

  function filters(start: Node | undefined, inline = false): Node | undefined {
    let of = start;
    for (let named = inline; named || skip("operator", "|"); named = false)
      of = { type: "filter", of, name: dotted(), args: is("operator", "(") ? callArguments() : none() };
    return of;
  }

  function test(of: Node): Node {
    const negated = skip("name", "not");
    const named = dotted();
    let args = none();
    const token = peek();
    if (is("operator", "(")) args = callArguments();
    else if (["string", "integer", "float"].includes(token.type) || is("operator", "[") || is("operator", "{")
      || (token.type === "name" && !["else", "or", "and"].includes(token.value))) {
      if (token.value === "is" && token.type === "name") fail("tests cannot be chained with is");
      args = { positional: [postfix(primary())], named: [] };
    }
    const value: Node = { type: "test", of, name: named, args };
    return negated ? { type: "not", of: value } : value;
  }

  function none(): Arguments {
    return { positional: [], named: [] };
  }
}
