import type { HarnessTask } from "../../text/harness-task.js";

/**
 * The text before the answer: description, examples with their answers, the question.
 * Examples are the first ones of their source; where that holds the question itself, it is left out.
 */
export function promptWithShots<D>(task: HarnessTask<D>, document: D): string {
  const { shots, description = "", targetDelimiter = " ", shotDelimiter = "\n\n" } = task;
  const source = shots?.from ?? task.documents;
  const examples = source.slice(0, (shots?.count ?? 0) + 1).filter((example) => example !== document).slice(0,
    shots?.count ?? 0);
  const solved = examples.map((example) =>
    task.prompt(example) + targetDelimiter + answerText(task, example) + shotDelimiter
  );
  return description + solved.join("") + task.prompt(document);
}

function answerText<D>(task: HarnessTask<D>, document: D): string {
  const target = task.target(document);
  return typeof target === "number" ? task.choices!(document)[target] : target;
}
