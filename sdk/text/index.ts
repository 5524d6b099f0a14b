export { baselines, BASELINES, type BaselineScore } from "./baselines/baselines.js";
export type { Baseline } from "./baselines/baseline.js";
export type { Document } from "./corpora/document.js";
export { listCorpora, loadCorpus } from "./corpora/load-corpus.js";
export { exactMatch, macroF1, METRICS, symbolErrorRate, tokenAccuracy, tokenF1, type Answers, type Score } from "./metrics.js";
export { batches, encodeItems, promptText, toBatch, type Batch, type BatchOptions, type EncodedItems } from "./task-batch.js";
export { listTasks, loadTask, taskDefinition, type LoadTaskOptions } from "./tasks/load-task.js";
export type { Item, Task, TaskDefinition } from "./tasks/task.js";
export { loadTokenizer, type Tokenizer } from "./tokenizer.js";
