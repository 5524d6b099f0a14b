import { hash } from "../hash.js";
import { fragments } from "./fragments.js";
import { chapters, partOfProse, speeches } from "./novel-and-speeches.js";
import { cut, type Parts, split } from "./split.js";
import { GAP, prose, SEPARATOR } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

/**
 * Builds `blank`: two words and a sentence with a gap, answered by the word that stood there.
 * The wrong word is the answer of another sentence of the same part, so how often a word is an answer tells nothing;
 * which option comes first is decided by hash.
 */
export function wordOfBlank(sizes: Sizes): Parts {
  const items: Item[] = [];
  for (const { id, text } of [...speeches(), ...chapters()]) {
    fragments(text, 64, 100).forEach((fragment, i) => {
      const words = prose(fragment);
      const open = words.map((_, at) => at).filter((at) =>
        at > 0 && at < words.length - 1 && /^ [a-z]{3,12}$/.test(words[at])
      );
      if (open.length === 0) return;
      const key = `blank/${id}/${i}`;
      const at = open[hash(`${key}/gap`) % open.length];
      items.push({ id: key, prompt: words.map((word, index) => (index === at ? GAP : word)), answer: [words[at]],
        document: id });
    });
  }
  const parts = cut(split(items, partOfProse), sizes, (item) => item);
  return { train: withOptions(parts.train), dev: withOptions(parts.dev), test: withOptions(parts.test) };
}

/** Gives each item the answer of the next item with another answer, the last ones that of the first. */
function withOptions(items: Item[]): Item[] {
  return items.map((item, i) => {
    let other = (i + 1) % items.length;
    while (items[other].answer[0] === item.answer[0] && other !== i) other = (other + 1) % items.length;
    const options = [item.answer[0], items[other].answer[0]];
    if (hash(`${item.id}/order`) % 2 === 1) options.reverse();
    return { ...item, prompt: [options[0], SEPARATOR, options[1], SEPARATOR, ...item.prompt] };
  });
}
