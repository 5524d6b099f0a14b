import { fragments } from "./fragments.js";
import { partOfProse, speeches } from "./novel-and-speeches.js";
import { balance, type Parts, split } from "./split.js";
import { prose, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `century`: some 72 characters of a speech, answered by before (1790 to 1889) or after (from 1910). */
export function centuryOfSpeech(sizes: Sizes): Parts {
  const items = speeches().filter(({ fields: { year } }) => year < 1890 || year >= 1910).flatMap(
    ({ id, text, fields: { year } }) =>
      fragments(text, 72, 150).map((fragment, i) => ({
        id: `century/${id}/${i}`,
        prompt: prose(fragment),
        answer: [symbol(year < 1890 ? "before" : "after")],
        document: id,
      }))
  );
  return balance(split(items, partOfProse), sizes);
}
