import { join } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { checkSampling, type Sampling } from "../model/sampling.js";
import { readText } from "../read-text.js";
import { shown } from "../shown.js";
import type { ChatMessage, ChatOptions } from "../text/chat-template.js";
import { textStream } from "../text/text-stream.js";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.js";
import { kernelHost } from "../view/displayable.js";
import { liveText } from "../view/live-text.js";
import { progress } from "../view/progress.js";
import { type Answer, Generation } from "./generation.js";
import { measureStage } from "./measure-stage.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import type { StudyState } from "./study-state.js";

/** Text, several texts, or a conversation for the model's chat template. */
export type Prompt = string | readonly string[] | readonly ChatMessage[];

export interface GenerateTextOptions extends Sampling, MemoryOptions {
  /** tokens to add at most, from 1; default 64 */
  maxTokens?: number;
  /** an answer ends before one of these texts, besides at the model's end tokens */
  stop?: string | readonly string[];
  /** called with each piece of text as it comes, and the number of its prompt */
  onToken?(piece: { row: number; id: number; text: string }): void;
  /** what the chat template gets besides the messages, and which template */
  chat?: ChatOptions & { template?: string };
  /** default the notebook's stop button */
  signal?: AbortSignal;
}

const MAX_TOKENS = 1_000_000;

/**
 * Continues text with the model as it is now: text goes in and out through its tokenizer, conversations through its
 * chat template. In a notebook the answer is written while it comes, and stops with the cell.
 *
 * @throws MoeError `no-tokenizer`, `no-chat-template`, `bad-sampling`, `bad-option`, `no-prompt`, `aborted`
 */
export async function generateStage(
  study: StudyState,
  prompt: Prompt,
  options: GenerateTextOptions = {},
): Promise<Generation> {
  const { maxTokens = 64, onToken, chat, signal = kernelHost()?.signal, memory, stop: _, ...sampling } = options;
  const prompts = promptsOf(prompt), stop = stopOf(options.stop);
  if (!Number.isInteger(maxTokens) || maxTokens < 1 || maxTokens > MAX_TOKENS)
    throw new MoeError("bad-option",
      `generate: maxTokens is ${shown(maxTokens)}; accepted is a whole number from 1 to ${MAX_TOKENS}. Change it.`);
  checkSampling(sampling);
  const { model, opened } = study;
  limitMemory(model, { memory });
  const tokenizer = await tokenizerOf(opened.folder, model.id);
  const rows = prompts.map((one) =>
    typeof one === "string"
      ? tokenizer.encode(one)
      : tokenizer.encode(tokenizer.chat(one, chat), { specialTokens: false })
  );
  const empty = rows.findIndex((ids) => ids.length === 0);
  if (empty >= 0)
    throw new MoeError("no-prompt",
      `generate: prompt ${empty} is empty and the tokenizer adds no begin token; accepted is at least one token. `
        + "Begin the text.");

  const ends = [...new Set([...model.spec.tokens.eos, ...await publishedEnds(opened.folder)])];
  const streams = rows.map(() => textStream(tokenizer, stop));
  const live = liveText();
  const bar = live
    ? undefined
    : progress({ label: `generate with ${model.id}`, total: rows.length * maxTokens, unit: "tokens", signal });
  const took = measureStage(), started = performance.now();
  let firstMs = 0;
  const width = Math.max(...rows.map(({ length }) => length));
  try {
    const written = await model.generate({
      ids: rows.map((ids) => [...ids, ...new Array<number>(width - ids.length).fill(0)]),
      mask: rows.map((ids) => Array.from({ length: width }, (_, t) => (t < ids.length ? 1 : 0))),
    }, {
      ...sampling,
      maxTokens,
      stop: ends,
      signal,
      onToken({ row, id }) {
        firstMs ||= performance.now() - started;
        const text = ends.includes(id) ? streams[row].end() : streams[row].add(id);
        onToken?.({ row, id, text });
        live?.show(streams.map(({ text }) => text));
        bar?.advance(1);
        return streams[row].stopped;
      },
    });
    const { timeMs, peakBytes } = took();
    const answers = written.map((ids, row): Answer => {
      streams[row].end();
      const ended = streams[row].stopped || ends.includes(ids.at(-1)!) ? "stop" : "length";
      return { prompt: prompts[row], promptTokens: rows[row].length, ids, text: streams[row].text, ended };
    });
    live?.show(answers.map(({ text }) => text), true);
    bar?.done();
    return new Generation(model.id, answers, { timeMs, firstMs, peakBytes }, live && kernelHost()?.signal);
  } catch (error) {
    live?.show(streams.map(({ text }) => text), true);
    bar?.fail(error);
    throw error;
  }
}

function promptsOf(prompt: Prompt): (string | readonly ChatMessage[])[] {
  if (typeof prompt === "string") return [prompt];
  const list = Array.isArray(prompt) && prompt.length > 0 ? prompt as readonly unknown[] : [undefined];
  if (list.every((one) => typeof one === "string")) return list as string[];
  if (list.every((one) => typeof (one as ChatMessage | null | undefined)?.role === "string"))
    return [list as ChatMessage[]];
  throw new MoeError("no-prompt",
    "generate: the prompt is neither text nor messages; accepted are a string, a list of strings, or a list of "
      + "{ role, content }. Give one of them, such as [{ role: \"user\", content: \"Hello\" }].");
}

function stopOf(stop: string | readonly string[] = []): readonly string[] {
  const texts = [stop].flat();
  const bad = texts.findIndex((text) => typeof text !== "string" || text === "");
  if (bad < 0) return texts as string[];
  throw new MoeError("bad-option",
    `generate: stop[${bad}] is ${JSON.stringify(texts[bad])}; accepted are texts of at least one character.`);
}

async function tokenizerOf(folder: string, id: string): Promise<Tokenizer> {
  if (folder !== "") return loadTokenizer(folder);
  throw new MoeError("no-tokenizer",
    `generate: ${id} has no tokenizer; accepted is a model of a folder with tokenizer.json. Make it with `
      + "{ tokenizer }, or give ids to study.model.generate.");
}

/** End tokens that stand in generation_config.json alone, as many chat models publish them. */
async function publishedEnds(folder: string): Promise<number[]> {
  const path = join(folder, "generation_config.json"), accepted = "the file that transformers writes";
  const text = await readText(path, { verb: "generate", accepted, maxBytes: 1_000_000, code: "bad-config" });
  if (text === undefined) return [];
  try {
    const { eos_token_id } = JSON.parse(text) ?? {};
    const ids = [eos_token_id ?? []].flat();
    if (ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  } catch {
    // said below
  }
  throw new FormatError("bad-config",
    `generate: eos_token_id of ${path} cannot be read; accepted is ${accepted}, with a whole number or a list of them. `
      + "Fetch it again.");
}
