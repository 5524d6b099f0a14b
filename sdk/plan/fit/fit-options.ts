import { MoeError, suggest } from "../../errors.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import type { Want } from "./fitter.js";

/** Whether a value is accepted, and what is. */
export interface Accepted {
  is(value: unknown): boolean;
  says: string;
}

export const isFlag: Accepted = { is: (value) => typeof value === "boolean", says: "true or false" };
export const isWhole: Accepted = { is: (value) => Number.isInteger(value) && (value as number) > 0,
  says: "a whole number from 1" };
export const from0: Accepted = { is: (value) => Number.isFinite(value) && (value as number) >= 0,
  says: "a number from 0" };
export const isShare: Accepted = { is: (value) => from0.is(value) && (value as number) <= 1,
  says: "a share from 0 to 1" };
export const isOneOf = (...words: string[]): Accepted => ({ is: (value) => words.includes(value as string),
  says: words.map((word) => `"${word}"`).join(", ") });
/** [n, m]: n of every m inputs */
export const isPattern: Accepted = {
  is: (value) =>
    Array.isArray(value) && value.length === 2 && value.every(Number.isInteger) && value[0] >= 0 && value[0] <= value[1]
    && value[1] >= 1 && value[1] <= 256,
  says: "[n, m] with 0 <= n <= m <= 256",
};

/** @throws MoeError `bad-plan` for an option that a fitter does not have or take */
export function checkOptions(by: string, options: Want["options"], accepted: Readonly<Record<string, Accepted>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(accepted, name))
      throw badFit(by, `there is no option "${name}"`, suggest(name, Object.keys(accepted)));
    if (!accepted[name].is(value)) throw badFit(by, `${name} is ${JSON.stringify(value)}`, accepted[name].says);
  }
}

/** The format of integers that is asked for. @throws MoeError `bad-plan` where it is none */
export function groupedOf(by: string, { format, keep, form }: Want): GroupedFormat {
  if (format?.kind !== "grouped" || keep || form)
    throw badFit(by, `the format is "${format?.kind ?? "plain"}"`, "{ format: { kind: \"grouped\", bits, group } }");
  return format;
}

export function badFit(by: string, seen: string, accepted: string): MoeError {
  return new MoeError("bad-plan", `plan: of what is fitted by "${by}" ${seen}; accepted is ${accepted}. Correct it.`);
}
