/**
 * Learns byte-pair merges from words and how often each occurs (Sennrich et al. 2016, without an end-of-word mark).
 * The most frequent pair is merged first; among equal pairs the one that sorts first, so the result is the same
 * everywhere.
 *
 * @param counts words, here with the space before them, and their frequency
 * @param alphabet characters that are pieces from the start; words with others are ignored
 * @param size number of merges to learn; fewer when every word is one piece before
 * @returns merges in the order they were learned
 */
export function learnMerges(
  counts: ReadonlyMap<string, number>,
  alphabet: ReadonlySet<string>,
  size: number,
): [string, string][] {
  const words = [...counts].map(([word, count]) => ({ pieces: [...word], count })).filter(({ pieces }) =>
    pieces.every((piece) => alphabet.has(piece))
  );
  const frequency = new Map<string, number>();
  const wordsWith = new Map<string, Set<number>>();
  const tally = (index: number, sign: 1 | -1) => {
    const { pieces, count } = words[index];
    for (let i = 0; i + 1 < pieces.length; i++) {
      const pair = `${pieces[i]}\t${pieces[i + 1]}`;
      frequency.set(pair, (frequency.get(pair) ?? 0) + sign * count);
      if (sign > 0) wordsWith.set(pair, (wordsWith.get(pair) ?? new Set()).add(index));
    }
  };
  words.forEach((_, index) => tally(index, 1));

  const merges: [string, string][] = [];
  while (merges.length < size) {
    let best = "";
    let most = 0;
    for (const [pair, count] of frequency) {
      if (count > most || (count === most && pair < best)) [best, most] = [pair, count];
    }
    if (most === 0) break;
    const [left, right] = best.split("\t") as [string, string];
    merges.push([left, right]);
    // a word may have lost the pair to an earlier merge; merging it again changes nothing
    for (const index of wordsWith.get(best)!) {
      tally(index, -1);
      words[index].pieces = merge(words[index].pieces, left, right);
      tally(index, 1);
    }
    frequency.delete(best);
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
