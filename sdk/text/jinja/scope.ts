import { GLOBALS } from "./globals.js";
import type { Node } from "./nodes.js";
import { Undefined, type Value } from "./values.js";

/** Names of a part of a template; what is set inside stays inside. */
export class Scope {
  readonly #values = new Map<string, Value>();
  constructor(readonly outer?: Scope) {}
  get(name: string): Value {
    for (let scope: Scope | undefined = this; scope; scope = scope.outer) {
      const value = scope.#values.get(name);
      if (value !== undefined) return value;
    }
    return GLOBALS.get(name) ?? new Undefined(`'${name.slice(0, 80)}' is undefined`);
  }
  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

/** Whether a part of a template reads a name. */
export function mentions(part: unknown, word: string): boolean {
  if (typeof part !== "object" || part === null) return false;
  if ((part as Node).type === "name" && (part as { name: string }).name === word) return true;
  return Object.values(part).some((inner) => mentions(inner, word));
}
