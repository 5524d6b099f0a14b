import type { HarnessTask } from "../../harness-task.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { whichLine } from "./which-line.js";
import { whichOrder } from "./which-order.js";
import { whichPartOfSpeech } from "./which-part-of-speech.js";
import { whichPronunciation } from "./which-pronunciation.js";
import { whichWord } from "./which-word.js";

const builders: Record<string, { build(count: number): ChoiceQuestion[]; choices: number; delimiter: string }> = {
  pronunciation: { build: whichPronunciation, choices: 4, delimiter: " " },
  part_of_speech: { build: whichPartOfSpeech, choices: 4, delimiter: "" },
  word: { build: whichWord, choices: 4, delimiter: " " },
  word_order: { build: whichOrder, choices: 2, delimiter: " " },
  next_line: { build: whichLine, choices: 4, delimiter: "" },
};

/** A zero-shot task with what guessing scores. */
export type ZeroShotTask = HarnessTask<ChoiceQuestion> & { chance: number };

/**
 * Multiple-choice questions from held-out texts of the domains that nano-decoder has read, for any decoder with a
 * tokenizer:
 * `runTask(task, languageModel(model, tokenizer))`. The same questions in the same order on every machine.
 *
 * @param count questions of each task at most
 */
export function zeroShotTasks(count = 200): ZeroShotTask[] {
  return Object.entries(builders).map(([name, { build, choices, delimiter }]) => ({
    name,
    chance: 1 / choices,
    output: "multiple_choice",
    metrics: ["acc", "acc_norm"],
    documents: build(count),
    prompt: ({ context }) => context,
    choices: (question) => question.choices,
    target: ({ answer }) => answer,
    targetDelimiter: delimiter,
  }));
}
