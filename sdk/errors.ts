import { closest, distance } from "fastest-levenshtein";

/**
 * The error that every part of moelab throws for bad input or an impossible request.
 * The message has one form: `verb: what was seen, where; what is accepted. What to do.`
 *
 * @example throw new MoeError("keep-out-of-range", "merge: keep is 40 of 16 experts; accepted is 1 to 16, or a share
 *   above 0 and up to 1. Lower keep.")
 */
export class MoeError extends Error {
  override name = "MoeError";
  /** @param code stable, kebab-case; programs may switch on it */
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/** Longer than any list of accepted names. */
const MAX_CHARACTERS = 6000;

/** What a message repeats may come from a file: it neither fills a notebook nor writes control characters. */
function printable(message: string): string {
  const more = message.length - MAX_CHARACTERS;
  const short = more > 0 ? `${message.slice(0, 4000)} … ${more} characters … ${message.slice(-2000)}` : message;
  return short.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Bytes that will never parse as what they claim to be: retrying does not help. */
export class FormatError extends MoeError {
  override name = "FormatError";
}

/**
 * Ends the sentence of an unknown-name error: the nearest accepted name, if one is near, then all of them.
 *
 * @example suggest("m-smo", ["m-smoe", "zipit"])  // 'Did you mean "m-smoe"? Accepted: m-smoe, zipit.'
 */
export function suggest(seen: string, accepted: readonly string[]): string {
  if (accepted.length === 0) return "Nothing is accepted here.";
  const near = closest(seen, accepted);
  const hint = distance(seen, near) <= Math.max(2, seen.length / 3) ? `Did you mean "${near}"? ` : "";
  return `${hint}Accepted: ${accepted.join(", ")}.`;
}
