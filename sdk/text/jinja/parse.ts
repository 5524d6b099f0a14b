import type { Node, Signature, Statement, Target } from "./nodes.js";
import { CONSTANTS, readExpressions } from "./read-expressions.js";
import { readTokens } from "./read-tokens.js";

/**
 * Parses a template after jinja2's grammar with the tags that transformers adds: break, continue and generation.
 *
 * @throws TemplateError that says the line
 */
export function parse(template: string): Statement[] {
  const reader = readTokens(template);
  const { peek, next, is, skip, fail, expect, name, nested } = reader;
  const { tuple, expression, filters } = readExpressions(reader);

  return statements([]);

  function statements(until: string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      const token = next();
      if (token.type === "eof")
        return until.length === 0 ? body : fail(`the template ends where ${until.join(" or ")} is missing`, token);
      if (token.type === "data") body.push({ type: "data", text: token.value });
      else if (token.value === "{") {
        body.push({ type: "output", value: tuple() });
        expect("end");
      } else {
        if (peek().type === "name" && until.includes(peek().value)) return body;
        body.push(...nested(statement));
        expect("end");
      }
    }
  }

  /** A body up to one of the tags, whose name is read. */
  function body(...until: string[]): Statement[] {
    skip("operator", ":");
    expect("end");
    const read = statements(until);
    if (until.length === 1) next();
    return read;
  }

  function statement(): Statement[] {
    const token = peek();
    switch (name()) {
      case "if":
        return [ifStatement()];
      case "for":
        return [forStatement()];
      case "set": {
        const to = target([], true);
        if (skip("operator", "=")) return [{ type: "set", target: to, value: tuple() }];
        const filter = is("operator", "|") ? filters(undefined) : undefined;
        return [{ type: "set-block", target: to, filter, body: body("endset") }];
      }
      case "with": {
        const targets: Target[] = [];
        const values: Node[] = [];
        while (peek().type !== "end") {
          if (targets.length > 0) expect("operator", ",");
          targets.push(target([]));
          expect("operator", "=");
          values.push(expression());
        }
        return [{ type: "with", targets, values, body: body("endwith") }];
      }
      case "macro":
        return [{ type: "macro", name: name(), signature: signature(), body: body("endmacro") }];
      case "call": {
        const given = is("operator", "(") ? signature() : { names: [], defaults: [] };
        const call = expression();
        if (call.type !== "call") fail("expected a call", token);
        return [{ type: "call-block", signature: given, call, body: body("endcall") }];
      }
      case "filter":
        return [{ type: "filter-block", filter: filters(undefined, true)!, body: body("endfilter") }];
      case "autoescape": {
        if (!skip("name", "false") && !skip("name", "False")) fail("autoescape is not for chat templates");
        return [{ type: "scope", top: false, body: body("endautoescape") }];
      }
      case "generation":
        return [{ type: "scope", top: false, body: body("endgeneration") }];
      case "block": {
        const named = name();
        const scoped = skip("name", "scoped");
        skip("name", "required");
        const read: Statement[] = [{ type: "scope", top: !scoped, body: body("endblock") }];
        skip("name", named);
        return read;
      }
      case "print": {
        const printed: Statement[] = [];
        while (peek().type !== "end") {
          if (printed.length > 0) expect("operator", ",");
          printed.push({ type: "output", value: expression() });
        }
        return printed;
      }
      case "break":
      case "continue":
        return [{ type: token.value as "break" }];
      default:
        return fail(`unknown tag ${token.value}`, token);
    }
  }

  function ifStatement(): Statement {
    const branches = [];
    for (;;) {
      branches.push({ test: tuple({ conditions: false }), body: body("elif", "else", "endif") });
      const tag = name();
      if (tag === "elif") continue;
      return { type: "if", branches, otherwise: tag === "else" ? body("endif") : [] };
    }
  }

  function forStatement(): Statement {
    const to = target(["in"]);
    expect("name", "in");
    const items = tuple({ conditions: false, until: "recursive" });
    const test = skip("name", "if") ? expression() : undefined;
    const recursive = skip("name", "recursive");
    const read = body("endfor", "else");
    const otherwise = name() === "else" ? body("endfor") : [];
    return { type: "for", target: to, items, test, recursive, body: read, otherwise };
  }

  function signature(): Signature {
    const names: string[] = [];
    const defaults: Node[] = [];
    expect("operator", "(");
    while (!is("operator", ")")) {
      if (names.length > 0) expect("operator", ",");
      names.push(name());
      if (skip("operator", "=")) defaults.push(expression());
      else if (defaults.length > 0) fail("a parameter without default follows one with");
    }
    next();
    return { names, defaults };
  }

  function target(until: string[], members = false): Target {
    const items: Target[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) expect("operator", ",");
      if (peek().type === "end" || is("operator", "=") || is("operator", ")") || until.some((word) => is("name", word)))
        break;
      if (skip("operator", "(")) {
        items.push(nested(() => target(until)));
        expect("operator", ")");
      } else {
        const token = expect("name");
        if (CONSTANTS.has(token.value)) fail(`cannot assign to ${token.value}`, token);
        items.push(
          members && skip("operator", ".")
            ? { type: "member", name: token.value, member: name() }
            : { type: "name", name: token.value },
        );
      }
      if (!is("operator", ",")) break;
      isTuple = true;
    }
    if (items.length === 0) fail("expected a name to assign to");
    return isTuple ? { type: "targets", items } : items[0];
  }
}
