import { fragments } from "./fragments.js";
import { partOfProse, speeches } from "./novel-and-speeches.js";
import { balance, type Parts, split } from "./split.js";
import { prose, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `party`: some 72 characters of a speech from 1870 on, answered by the party of the president. */
export function partyOfSpeech(sizes: Sizes): Parts {
  const items = speeches().filter(({ fields: { year, party } }) =>
    year >= 1870 && (party === "Democratic" || party === "Republican")
  ).flatMap(({ id, text, fields: { party } }) =>
    fragments(text, 72, 150).map((fragment, i) => ({
      id: `party/${id}/${i}`,
      prompt: prose(fragment),
      answer: [symbol(party.toLowerCase())],
      document: id,
    }))
  );
  return balance(split(items, partOfProse), sizes);
}
