import { learnMerges } from "./bpe.js";
import { PROSE_CHARACTERS } from "./clean-text.js";
import { PHONES } from "./corpora/cmudict.js";
import { listTasks, loadTask, taskDefinition } from "./tasks/load-task.js";
import { SEPARATOR, symbol } from "./tasks/symbols.js";

/** Written for the space before a word, as SentencePiece does. */
const SPACE = "▁";
/** One piece of prose before merging: letters and digits, or a single mark, each with the space before it. */
const PRETOKEN = `${SPACE}?[a-z0]+|${SPACE}?[^a-z0${SPACE}]|${SPACE}`;
const SPECIAL = ["<pad>", "</s>", "<unk>"];

/**
 * Builds the vocabulary of the bundled models as a Hugging Face `tokenizer.json`.
 * Ids in order: `<pad>` 0, `</s>` 1, `<unk>` 2; task names, labels, letters, phones as whole symbols; characters of
 * prose; merges up to `size`.
 * Merges are learned from the prompts of the training parts of the prose tasks, never from dev or test, nor from
 * optional packages.
 * The file adds no end symbol: a prompt has none, an answer ends with `</s>`.
 */
export async function taskTokenizer(size = 1024): Promise<Record<string, unknown>> {
  const tasks = listTasks().map(taskDefinition);
  const letters = [...PROSE_CHARACTERS].filter((c) => /[a-z]/.test(c));
  const symbols = [SEPARATOR,
    ...[...tasks.map(({ name }) => name), ...tasks.flatMap(({ symbols }) => symbols ?? []), ...letters, ...PHONES].map(
      symbol,
    )];
  const whole = [...SPECIAL, ...new Set(symbols)];
  const characters = [SPACE, ...[...PROSE_CHARACTERS].filter((c) => c !== " ").sort()];

  const counts = new Map<string, number>();
  for (const { name, alphabets, sources } of tasks) {
    if (!alphabets.includes("prose") || sources.some(({ optional }) => optional)) continue;
    for (const { prompt } of (await loadTask(name)).train) {
      for (const element of prompt) {
        if (!element.startsWith(" ")) continue;
        for (const word of element.replace(" ", SPACE).match(new RegExp(PRETOKEN, "g")) ?? [])
          counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
  }
  const merges = learnMerges(counts, new Set(characters), size - whole.length - characters.length);
  const pieces = [...whole, ...characters, ...merges.map((pair) => pair.join(""))];

  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: whole.map((content, id) => (
      { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false,
        special: SPECIAL.includes(content) }
    )),
    normalizer: {
      type: "Sequence",
      normalizers: [{ type: "Lowercase" }, { type: "Replace", pattern: { Regex: "[1-9]" }, content: "0" }, {
        type: "Replace",
        pattern: { String: " " },
        content: SPACE,
      }],
    },
    pre_tokenizer: { type: "Split", pattern: { Regex: PRETOKEN }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: { type: "Sequence",
      decoders: [{ type: "Replace", pattern: { String: SPACE }, content: " " }, { type: "Fuse" }] },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges,
    },
  };
}
