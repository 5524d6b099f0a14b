import { Tokenizer as Library } from "@huggingface/tokenizers";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, MoeError, suggest } from "../errors.js";
import { parseJson } from "../parse-json.js";
import { readText as readFileText } from "../read-text.js";
import { findAddedTokens } from "./added-tokens.js";
import { addByteFallback } from "./byte-fallback.js";
import { type ChatMessage, type ChatOptions, renderChat } from "./chat-template.js";
import { splitByUnicode } from "./unicode-splits.js";

/** The largest published tokenizer.json files (256 thousand pieces with merges) have some 40 MB. */
const MAX_FILE_BYTES = 200_000_000;
const MAX_TEMPLATES = 100;
/** Ids beyond are no vocabulary: the largest published ones have some 260 thousand pieces. */
const MAX_ID = 1 << 22;
const SPECIAL_KEYS = ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"];

/** Text to token ids and back, as the model's own tokenizer does it. */
export interface Tokenizer {
  /** pieces with the added tokens */
  readonly size: number;
  /** @param specialTokens whether begin and end tokens are added as the model wants them; true unless told */
  encode(text: string, options?: { specialTokens?: boolean }): number[];
  /** @param skipSpecial leaves special tokens out; false unless told */
  decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean }): string;
  /** the pieces as they stand in the vocabulary */
  tokens(ids: ArrayLike<number>): string[];
  /** the id of a piece, undefined if there is none */
  id(token: string): number | undefined;
  /** special tokens by their key in tokenizer_config.json, e.g. special.eos_token */
  readonly special: Readonly<Record<string, string>>;
  /**
   * Renders a conversation to text for `encode(text, { specialTokens: false })`.
   * @param template name of one of several templates
   * @throws MoeError `no-chat-template`, `chat-template`
   */
  chat(messages: readonly ChatMessage[], options?: ChatOptions & { template?: string }): string;
}

/**
 * Loads tokenizer.json, with tokenizer_config.json and chat_template.jinja where they are.
 *
 * @throws MoeError `no-tokenizer`; FormatError `tokenizer`
 * @example (await loadTokenizer("OLMoE-1B-7B-0924")).encode("two experts")
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, "tokenizer.json");
  const file = await readText(path);
  if (file === undefined) {
    throw new MoeError("no-tokenizer",
      `load: ${folder} has no tokenizer.json; accepted is the file that transformers' fast tokenizers `
        + "save. Save it with AutoTokenizer.from_pretrained(…).save_pretrained(…).");
  }
  const object = async (name: string) => parse(await readText(join(folder, name)) ?? "{}", join(folder, name));
  const config = { ...await object("special_tokens_map.json"), ...await object("tokenizer_config.json") };
  const templates = chatTemplates(config.chat_template);
  const separate = await readText(join(folder, "chat_template.jinja"));
  if (separate !== undefined) templates.set("default", separate);
  const more = join(folder, "additional_chat_templates");
  for (const name of (await readdir(more).catch(() => [])).filter((name) => name.endsWith(".jinja")).slice(0,
    MAX_TEMPLATES))
    templates.set(name.slice(0, -".jinja".length), (await readText(join(more, name)))!);
  return createTokenizer(parse(file, path), config, templates, path);
}

/** The same from parsed files. @param file named in errors */
export function createTokenizer(
  tokenizer: Record<string, unknown>,
  config: Record<string, unknown> = {},
  templates = chatTemplates(config.chat_template),
  file = "tokenizer.json",
): Tokenizer {
  checkVocabulary(tokenizer, file);
  const refuse = (cause: unknown) =>
    new FormatError("tokenizer",
      `load: ${
        (cause as Error).message.replace(/: undefined$/, "")
      }, in ${file}; accepted is a tokenizer.json with a BPE, Unigram or `
        + "WordPiece model. Save it again with transformers.", { cause });
  let library: Library;
  try {
    // the Python library cleans spaces up only if told to
    const complete = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [],
      ...tokenizer };
    library = new Library(complete, { clean_up_tokenization_spaces: false, ...config });
    addByteFallback(library.model!);
    splitByUnicode(library, tokenizer);
    findAddedTokens(library);
  } catch (cause) {
    throw refuse(cause);
  }
  /** What a part of the file makes impossible shows when it is used. */
  const guarded = <A extends unknown[], R>(run: (...args: A) => R) => (...args: A): R => {
    try {
      return run(...args);
    } catch (cause) {
      throw cause instanceof MoeError ? cause : refuse(cause);
    }
  };
  const special = specialTokens(config);
  return {
    size: library.get_vocab().size,
    special,
    encode: guarded((text, { specialTokens = true } = {}) =>
      library.encode(text, { add_special_tokens: specialTokens }).ids
    ),
    decode: guarded((ids, { skipSpecial = false } = {}) =>
      ids.length === 0 ? "" : library.decode(Array.from(ids), { skip_special_tokens: skipSpecial })
    ),
    tokens: (ids) => Array.from(ids, (id) => library.id_to_token(id) ?? ""),
    id: (token) => library.token_to_id(token),
    chat: (messages, { template, ...options } = {}) =>
      renderChat(choose(templates, template, options.variables?.tools), special, messages, options),
  };
}

/**
 * Pieces with their ids (BPE, WordPiece), or with their scores in the order of ids (Unigram). The library takes
 * anything and then encodes nothing.
 */
function checkVocabulary({ model, added_tokens }: Record<string, unknown>, file: string): void {
  const vocab = (model as { vocab?: unknown } | null | undefined)?.vocab;
  const seen = typeof vocab !== "object" || vocab === null
    ? `model.vocab is ${vocab === undefined ? "not there" : shown(vocab)}`
    : Array.isArray(vocab)
    ? badScore(vocab) ?? badAdded(added_tokens)
    : badId(vocab as Record<string, unknown>) ?? badAdded(added_tokens);
  if (seen)
    throw new FormatError("tokenizer",
      `load: ${seen}, in ${file}; accepted is a tokenizer.json with a BPE, Unigram or `
        + "WordPiece model, whose vocab gives each piece its id, or pieces with scores. Save it again with "
        + "transformers.");
}

const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) <= MAX_ID;

/** A value in an error: short, whatever it is. */
function shown(value: unknown): string {
  if (Array.isArray(value) && value.length <= 2 && value.every((item) => typeof item !== "object"))
    return JSON.stringify(value).slice(0, 80);
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? `a list of ${value.length}` : "an object";
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}

function badAdded(tokens: unknown): string | undefined {
  if (tokens === undefined || tokens === null) return undefined;
  if (!Array.isArray(tokens)) return `added_tokens is ${shown(tokens)}`;
  const at = tokens.findIndex((token) => typeof token?.content !== "string" || !isId(token.id));
  return at < 0
    ? undefined
    : `added_tokens[${at}] has the content ${shown(tokens[at]?.content)} and the id ${shown(tokens[at]?.id)}`;
}

function badScore(vocab: unknown[]): string | undefined {
  const at = vocab.findIndex((entry) =>
    !Array.isArray(entry) || typeof entry[0] !== "string" || !Number.isFinite(entry[1])
  );
  return vocab.length === 0 ? "model.vocab is empty" : at < 0 ? undefined : `model.vocab[${at}] is ${shown(vocab[at])}`;
}

function badId(vocab: Record<string, unknown>): string | undefined {
  const pieces = Object.keys(vocab);
  const piece = pieces.find((piece) => !isId(vocab[piece]));
  return pieces.length === 0
    ? "model.vocab is empty"
    : piece === undefined
    ? undefined
    : `the id of ${shown(piece)} in model.vocab is ${shown(vocab[piece])}`;
}

/** The named template, or as transformers chooses: the only one, tool_use when tools are given, default. */
function choose(templates: ReadonlyMap<string, string>, asked: string | undefined, tools: unknown): string {
  const name = asked
    ?? (templates.size === 1 ? [...templates.keys()][0] : tools && templates.has("tool_use") ? "tool_use" : "default");
  const template = templates.get(name);
  if (template !== undefined) return template;
  if (templates.size === 0)
    throw new MoeError("no-chat-template",
      "chat: the tokenizer has no chat template; accepted is a model that was tuned for conversations. "
        + "Encode plain text instead.");
  throw new MoeError("no-chat-template",
    `chat: template "${name}" is not there. ${suggest(name, [...templates.keys()])}`);
}

/** tokenizer_config.json has one template, or a list of named ones. */
function chatTemplates(value: unknown): Map<string, string> {
  if (typeof value === "string") return new Map([["default", value]]);
  const named = (Array.isArray(value) ? value : []) as { name?: unknown; template?: unknown }[];
  return new Map(
    named.filter((each) => typeof each?.name === "string" && typeof each.template === "string").map(
      ({ name, template }) => [name as string, template as string]
    ),
  );
}

/** A special token is a string, or an object with its content; a model may name more of its own. */
function specialTokens(config: Record<string, unknown>): Record<string, string> {
  const found: [string, string][] = [];
  const extra = config.extra_special_tokens as Record<string, unknown> | null | undefined;
  const own = typeof extra === "object" && extra !== null && !Array.isArray(extra) ? extra : {};
  const named = [...SPECIAL_KEYS.map((key) => [key, config[key]] as const), ...Object.entries(own)];
  for (const [key, given] of named) {
    const value = given as string | { content?: unknown } | null | undefined;
    const content = typeof value === "object" ? value?.content : value;
    if (typeof content === "string") found.push([key, content]);
  }
  return Object.fromEntries(found);
}

function parse(text: string, path: string): Record<string, unknown> {
  try {
    const value = parseJson(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new FormatError("tokenizer",
    `load: ${path} is not a JSON object; accepted is the file that transformers writes. Fetch it again.`);
}

const readText = (path: string) =>
  readFileText(path, { verb: "load", accepted: "the file that transformers writes", maxBytes: MAX_FILE_BYTES,
    code: "tokenizer" });
