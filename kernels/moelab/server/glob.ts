/**
 * Whether a text matches a pattern in which `*` stands for any text and `?` for one character.
 * On a mismatch only the last star takes one more character, so that the time is at most that of all pairs of
 * characters; a regular expression would try every division of the text among the stars.
 */
export function globMatches(pattern: string, text: string): boolean {
  let [at, from] = [0, 0];
  let star: { at: number; from: number } | undefined;
  while (from < text.length) {
    const wanted = pattern[at];
    if (wanted === "*") star = { at: ++at, from };
    else if (wanted === "?" || wanted === text[from]) [at, from] = [at + 1, from + 1];
    else if (star) [at, from] = [star.at, ++star.from];
    else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
