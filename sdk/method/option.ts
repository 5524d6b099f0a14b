import { MoeError, suggest } from "../errors.js";

/**
 * Reads an option that is one of several words.
 *
 * @returns the value, or the fallback when it was not given
 * @throws MoeError `unknown-option-value` with the nearest accepted word
 * @example option("merge", "ratio", undefined, ["adaptive", "uniform"], "adaptive")  // "adaptive"
 */
export function option<T extends string>(
  verb: string,
  name: string,
  value: T | undefined,
  accepted: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (accepted.includes(value)) return value;
  throw new MoeError("unknown-option-value",
    `${verb}: ${name} is ${JSON.stringify(value)}. ${suggest(String(value), accepted)}`);
}
