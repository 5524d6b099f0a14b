/** Every character that prose may hold in the bundled vocabulary. */
export const PROSE_CHARACTERS = " abcdefghijklmnopqrstuvwxyz0.,;:!?'$%()-\"@/";

const PLAIN = /^[\x00-\x7f]*$/;
const REPLACED: [RegExp, string][] = [[/[‘’‛`´]/g, "'"], [/[“”„]/g, "\""], [/[—–―]|--+/g, " - "], [/[0-9]/g, "0"], [
  /[^ a-z0.,;:!?'$%()\-"@/]+/g,
  " ",
], [/ +/g, " "]];

/**
 * Writes text in the alphabet of the prose tasks: lower case, every digit as 0, plain quotes and dashes, single spaces,
 * nothing else.
 *
 * @example cleanText("In 1905, “Peace”—at last!")  // 'in 0000, "peace" - at last!'
 */
export function cleanText(text: string): string {
  return REPLACED.reduce((clean, [seen, put]) => clean.replace(seen, put),
    (PLAIN.test(text) ? text : text.normalize("NFKD").replace(/\p{Mark}/gu, "")).toLowerCase()).trim();
}
