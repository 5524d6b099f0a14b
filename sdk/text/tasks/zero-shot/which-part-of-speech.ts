import { PARTS_OF_SPEECH } from "../../corpora/wordnet.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { domainTexts } from "./domain-texts.js";

/**
 * Asks what the dictionary writes in brackets after a word. Words of one part of speech alone, the four equally often.
 */
export function whichPartOfSpeech(count: number): ChoiceQuestion[] {
  const classes = new Map<string, Set<string>>();
  for (const { text, document } of domainTexts("dictionary").test)
    classes.set(document, (classes.get(document) ?? new Set()).add(partOfSpeech(text)));
  const left = new Map(PARTS_OF_SPEECH.map((name) => [name as string, Math.floor(count / PARTS_OF_SPEECH.length)]));
  const questions: ChoiceQuestion[] = [];
  for (const { id, text, document } of domainTexts("dictionary").test) {
    const name = partOfSpeech(text);
    if (classes.get(document)!.size > 1 || left.get(name) === 0) continue;
    left.set(name, left.get(name)! - 1);
    questions.push({ id, context: text.slice(0, text.indexOf(" (") + 2), choices: [...PARTS_OF_SPEECH],
      answer: PARTS_OF_SPEECH.indexOf(name as never) });
  }
  return questions;
}

function partOfSpeech(text: string): string {
  return text.match(/ \((\w+)\): /)![1];
}
