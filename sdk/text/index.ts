export type { Baseline } from "./baselines/baseline.js";
export { BASELINES, baselines, type BaselineScore } from "./baselines/baselines.js";
export type { Document } from "./corpora/document.js";
export { listCorpora, loadCorpus } from "./corpora/load-corpus.js";
export { type Answers, exactMatch, macroF1, METRICS, type Score, symbolErrorRate, tokenAccuracy,
  tokenF1 } from "./metrics.js";
export { type Batch, batches, type BatchOptions, type EncodedItems, encodeItems, promptText,
  toBatch } from "./task-batch.js";
export { listTasks, loadTask, type LoadTaskOptions, taskDefinition } from "./tasks/load-task.js";
export type { Item, Task, TaskDefinition } from "./tasks/task.js";
export type { ChoiceQuestion } from "./tasks/zero-shot/choice-question.js";
export { type Domain, DOMAINS, type DomainText, domainTexts } from "./tasks/zero-shot/domain-texts.js";
export { type ZeroShotTask, zeroShotTasks } from "./tasks/zero-shot/zero-shot-tasks.js";
export { loadTokenizer, type Tokenizer } from "./tokenizer.js";
