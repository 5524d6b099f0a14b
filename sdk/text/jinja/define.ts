import { TemplateError } from "./budget.js";
import type { Named, Value } from "./values.js";

export type Call = (args: readonly Value[], named: Named) => Value;

/**
 * A function of templates from its Python signature, whose defaults are written as JSON.
 *
 * @example define("indent(s, width=4, first=false, blank=false)", (s, width, first, blank) => …)
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function define(signature: string, run: (...args: any[]) => Value): [string, Call] {
  const [, name, inside] = /^(\w+)\((.*)\)$/.exec(signature)!;
  const parameters = inside === "" ? [] : inside.split(/, (?=\w+(?:=|,|$))/).map((text) => {
    const [parameter, standard] = text.split(/=(.*)/s);
    return { parameter, standard: standard === undefined ? undefined : JSON.parse(standard) as Value };
  });
  return [name, (args, named) => {
    if (args.length > parameters.length)
      throw new TemplateError(`${name}() takes ${parameters.length} arguments and was given ${args.length}`);
    for (const key of named.keys()) {
      if (!parameters.some(({ parameter }, i) => parameter === key && i >= args.length))
        throw new TemplateError(`${name}() got an unexpected argument '${key}'`);
    }
    return run(...parameters.map(({ parameter, standard }, i) => {
      const value = i < args.length ? args[i] : named.has(parameter) ? named.get(parameter) : standard;
      if (value === undefined) throw new TemplateError(`${name}() misses its argument '${parameter}'`);
      return value;
    }));
  }];
}
