import { MoeError, suggest } from "../errors.js";
import { shown } from "../shown.js";

/**
 * One option of a method: what it does, what it may be, what holds when it is not given. Types, checks, completion and
 * documentation follow from it. An option with neither `default` nor `otherwise` has to be given.
 *
 * @example
 * { about: "what makes two experts alike", words: ["cosine", "random"], default: "cosine" }
 * { about: "experts that stay", from: 1, whole: true }
 * { about: "run a merged expert once", default: false }
 */
export interface Option {
  about: string;
  /** words that it may be */
  words?: readonly string[];
  /** numbers that it may be: from this one on, this one counted */
  from?: number;
  /** numbers above this one */
  above?: number;
  /** numbers up to this one, counted */
  to?: number;
  /** whole numbers alone */
  whole?: true;
  /** anything else that it may be */
  is?(value: unknown): boolean;
  /** what is accepted, for the error; default: made from the above */
  says?: string;
  /** `true` or `false` accepts both */
  default?: unknown;
  /** what holds when it is not given, in words, where that is no value */
  otherwise?: string;
}

/** All options of a method by name. */
export type Options = Readonly<Record<string, Option>>;

type Value<R> =
  | (R extends { words: readonly (infer W)[] } ? W : never)
  | (R extends { from: number } | { above: number } | { to: number } | { whole: true } ? number : never)
  | (R extends { default: boolean } ? boolean : never)
  | (R extends { is(value: unknown): value is infer T } ? T : never);
type OrNone<R> = R extends { otherwise: string } ? true : false;
type OrLeftOut<R> = R extends { otherwise: string } | { default: unknown } ? true : false;

/** Options as a caller gives them. */
export type Given<T> =
  & { -readonly [K in keyof T as OrLeftOut<T[K]> extends true ? never : K]: Value<T[K]> }
  & { -readonly [K in keyof T as OrLeftOut<T[K]> extends true ? K : never]?: Value<T[K]> };

/** Options as a method reads them: checked, defaults filled in. */
export type Filled<T> =
  & { -readonly [K in keyof T as OrNone<T[K]> extends true ? never : K]: Value<T[K]> }
  & { -readonly [K in keyof T as OrNone<T[K]> extends true ? K : never]?: Value<T[K]> };

/** What a caller may give to a method: `OptionsOf<typeof mSmoe>`. */
export type OptionsOf<M> = M extends { options?: infer T }
  ? T extends Options ? string extends keyof T ? Record<string, unknown> : Given<T> : Record<string, unknown>
  : Record<string, unknown>;

/**
 * Checks the options that were given to a method and fills in the others.
 *
 * @returns the options that the method reads; without a table of options those that were given
 * @throws MoeError `unknown-option`, `missing-option`, `NAME-out-of-range` for a number, `unknown-option-value` for all
 *   else
 */
export function readOptions(
  { name: method, kind: verb = "plan", options }: { name: string; kind?: string; options?: Options },
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (!options) return { ...given };
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(options, name));
  if (unknown !== undefined)
    throw new MoeError("unknown-option",
      `${verb}: ${method} has no option "${unknown}". ${suggest(unknown, Object.keys(options))}`);
  const filled: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const value = given[name];
    if (value !== undefined && !fits(option, value)) throw refused(verb, method, name, option, value);
    if (value !== undefined) filled[name] = value;
    else if (option.default !== undefined) filled[name] = option.default;
    else if (option.otherwise === undefined)
      throw new MoeError("missing-option",
        `${verb}: ${method} was not told ${name}; accepted is ${
          acceptedBy(option)
        }. Give { ${name} }: ${option.about}.`);
  }
  return filled;
}

/** What an option may be, in words. */
export function acceptedBy({ words = [], from, above, to, whole, says, default: usual }: Option): string {
  if (says) return says;
  const bounds = [above !== undefined && `above ${above}`, from !== undefined && `from ${from}`,
    to !== undefined && `up to ${to}`].filter(Boolean).join(" ");
  const number = whole || bounds ? [`a ${whole ? "whole " : ""}number ${bounds}`.trimEnd()] : [];
  return [...words.map((word) => `"${word}"`), ...number, ...(typeof usual === "boolean" ? ["true or false"] : [])]
    .join(", ") || "a value of another kind";
}

function fits(option: Option, value: unknown): boolean {
  const { words, from, above, to, whole, is, default: usual } = option;
  if (typeof value === "string" && words?.includes(value)) return true;
  if (typeof value === "boolean" && typeof usual === "boolean") return true;
  if (typeof value === "number" && isNumeric(option)) {
    return Number.isFinite(value) && !(value < from!) && !(value <= above!) && !(value > to!)
      && (!whole || Number.isInteger(value));
  }
  return is?.(value) ?? false;
}

function isNumeric({ from, above, to, whole }: Option): boolean {
  return from !== undefined || above !== undefined || to !== undefined || whole === true;
}

function refused(verb: string, method: string, name: string, option: Option, value: unknown): MoeError {
  const { words, is } = option;
  const seen = `${verb}: ${name} is ${shown(value)}`;
  if (isNumeric(option) && !words && !is) {
    const code = `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}-out-of-range`;
    return new MoeError(code, `${seen}; accepted by ${method} is ${acceptedBy(option)}. Change ${name}.`);
  }
  return new MoeError("unknown-option-value",
    words && !isNumeric(option) && !is && typeof value === "string"
      ? `${seen}. ${suggest(value, words)}`
      : `${seen}; accepted by ${method} is ${acceptedBy(option)}. Change ${name}.`);
}
