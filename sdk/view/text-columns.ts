import { eastAsianWidth } from "get-east-asian-width";

/** Columns that a line of text takes on a terminal: two for wide characters, none for combining and invisible ones. */
export function textColumns(text: string): number {
  return Array.from(text).reduce(
    (sum, character) => sum + (/[\p{Mn}\p{Me}\p{Cf}]/u.test(character) ? 0 : eastAsianWidth(character.codePointAt(0)!)),
    0,
  );
}
