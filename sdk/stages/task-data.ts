import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import type { TaskBatch } from "../evaluate/index.js";
import type { CorpusName, TaskName } from "../known-names.js";
import { Rng } from "../tensor/index.js";
import { type EncodedItems, encodeItems, loadCorpus, loadTask, loadTokenizer, toBatch } from "../text/index.js";
import type { Part } from "../text/tasks/task.js";
import { checkData } from "./check-data.js";
import type { Opened } from "./study-state.js";
import { tasksOf } from "./tasks-of.js";

export interface DataOptions {
  /** tasks of `data/tasks`; default the tasks that the model was trained on */
  task?: TaskName | (string & {}) | (TaskName | (string & {}))[];
  /** text for a model without tasks: a corpus of `listCorpora()`; default "moby-dick" */
  corpus?: CorpusName | (string & {});
  /** own batches, in the model's token ids */
  data?: TaskBatch[];
  /** items of each task, or windows of text; default 256 to profile, 400 to evaluate */
  items?: number;
  /** tokens of a window of text; default 256 */
  window?: number;
  /** which items: the order inside a part is drawn with it; default 0 */
  seed?: number;
}

/** Batches of one task, or of windows of text. */
export interface NamedBatches {
  name: string;
  /** the metric that says most about such data: an answer is right or not, text is more or less likely */
  headline: "exact_match" | "nll";
  batches: TaskBatch[];
}

const ROWS = 64;

/**
 * What a model is measured on: items of its tasks, windows of a corpus, or the caller's own batches.
 *
 * @param part "train" to profile, "test" to evaluate
 * @throws MoeError `no-data` when nothing fits and nothing was given, `bad-batch` and `bad-option` before anything runs
 */
export async function taskData(
  opened: Opened,
  part: Part,
  options: DataOptions & { items: number; tokens?: number },
  verb = part === "test" ? "evaluate" : "profile",
): Promise<{ groups: NamedBatches[]; id: string; fingerprint: string }> {
  checkData(verb, options, opened.model.spec);
  const groups = await collect(opened, part, options);
  const hash = createHash("sha256");
  for (const { name, batches } of groups) hash.update(`${name} ${JSON.stringify(batches)}`);
  return { groups, id: `${groups.map(({ name }) => name).join("+")} ${options.data ? "given" : part}`,
    fingerprint: hash.digest("hex") };
}

async function collect(opened: Opened, part: Part, options: DataOptions & { items: number }): Promise<NamedBatches[]> {
  if (options.data)
    return [{ name: "given", headline: isText(options.data) ? "nll" : "exact_match", batches: options.data }];
  const tasks = options.task === undefined ? await tasksOf(opened.folder) : [options.task].flat();
  if (tasks.length && options.corpus === undefined)
    return Promise.all(tasks.map((task) => taskBatches(opened, task, part, options)));
  if (opened.model.spec.encoder || !hasTokenizer(opened)) {
    throw new MoeError("no-data",
      `profile: ${opened.model.id} names no task of its own and `
        + `${opened.model.spec.encoder ? "is an encoder-decoder" : "has no tokenizer.json"}; accepted are { `
        + "task } of data/tasks, { corpus } for a decoder with a tokenizer, or { data: [{ ids, labels, … }] }. "
        + "Give one of them.");
  }
  return [await windows(opened, part, options)];
}

/** Every token is predicted; an answer begins after a question, which is not. */
function isText(batches: readonly TaskBatch[]): boolean {
  return batches.every(({ decoderIds, labels }) => !decoderIds && labels?.every(([first]) => first >= 0) === true);
}

function hasTokenizer({ folder }: Opened): boolean {
  return folder !== "" && existsSync(join(folder, "tokenizer.json"));
}

async function taskBatches(
  opened: Opened,
  name: string,
  part: Part,
  { items, seed = 0 }: DataOptions & { items: number },
): Promise<NamedBatches> {
  const task = await loadTask(name);
  const tokenizer = await loadTokenizer(opened.folder);
  const chosen = part === "test"
    ? task.test.slice(0, items)
    : new Rng(`${name} ${part} ${seed}`).shuffle([...task[part]]).slice(0, items);
  const encoded = encodeItems(task, chosen, { encode: (text) => tokenizer.encode(text, { specialTokens: false }) });
  return { name, headline: "exact_match", batches: byLength(encoded) };
}

/** Rows of similar length together, so that little padding is computed. */
function byLength(items: EncodedItems): TaskBatch[] {
  const order = items.ids.map((_, row) => row).sort((a, b) =>
    items.ids[a].length + items.answers[a].length - items.ids[b].length - items.answers[b].length
  );
  const batches = [];
  for (let start = 0; start < order.length; start += ROWS)
    batches.push(toBatch(items, order.slice(start, start + ROWS)));
  return batches;
}

/**
 * Windows of running text with the next token as label; training windows come from the first nine tenths of a corpus.
 */
async function windows(
  opened: Opened,
  part: Part,
  { corpus = "moby-dick", items, window = 256, seed = 0 }: DataOptions & { items: number },
): Promise<NamedBatches> {
  const tokenizer = await loadTokenizer(opened.folder);
  const documents = [...(await loadCorpus(corpus))].filter((_, index) => (index % 10 === 9) === (part !== "train"));
  const order = part === "train" ? new Rng(`${corpus} ${seed}`).shuffle([...documents]) : documents;
  const rows: number[][] = [];
  for (const { text } of order) {
    const ids = tokenizer.encode(text, { specialTokens: false });
    for (let start = 0; start + window + 1 <= ids.length && rows.length < items; start += window)
      rows.push(ids.slice(start, start + window + 1));
    if (rows.length >= items) break;
  }
  if (rows.length === 0)
    throw new MoeError("no-data", `profile: no text of ${corpus} has ${window + 1} tokens; lower { window }.`);
  const batches: TaskBatch[] = [];
  for (let start = 0; start < rows.length; start += 4) {
    const part = rows.slice(start, start + 4);
    batches.push({ ids: part.map((row) => row.slice(0, -1)), mask: part.map((row) => row.slice(1).map(() => 1)),
      labels: part.map((row) => row.slice(1)) });
  }
  return { name: corpus, headline: "nll", batches };
}
