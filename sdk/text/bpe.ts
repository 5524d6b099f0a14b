/**
 * Learns byte-pair merges from words and how often each occurs (Sennrich et al. 2016, without an end-of-word mark).
 * The most frequent pair is merged first; among equal pairs the one that sorts first, so the result is the same everywhere.
 *
 * @param counts words, here with the space before them, and their frequency
 * @param alphabet characters that are pieces from the start; words with others are ignored
 * @param size number of merges to learn
 * @returns merges in the order they were learned
 */
export function learnMerges(counts: ReadonlyMap<string, number>, alphabet: ReadonlySet<string>, size: number): [string, string][] {
  const words = [...counts].map(([word, count]) => ({ pieces: [...word], count })).filter(({ pieces }) => pieces.every((piece) => alphabet.has(piece)));
  const merges: [string, string][] = [];
  while (merges.length < size) {
    const pairs = new Map<string, number>();
    for (const { pieces, count } of words) {
      for (let i = 0; i + 1 < pieces.length; i++) {
        const pair = `${pieces[i]}\t${pieces[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    let best = "";
    for (const [pair, count] of pairs) {
      const lead = count - (pairs.get(best) ?? 0);
      if (lead > 0 || (lead === 0 && pair < best)) best = pair;
    }
    if (best === "") break;
    const [left, right] = best.split("\t") as [string, string];
    merges.push([left, right]);
    for (const word of words) if (word.pieces.includes(left)) word.pieces = merge(word.pieces, left, right);
  }
  return merges;
}

function merge(pieces: string[], left: string, right: string): string[] {
  const merged: string[] = [];
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i] === left && pieces[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else merged.push(pieces[i]);
  }
  return merged;
}
