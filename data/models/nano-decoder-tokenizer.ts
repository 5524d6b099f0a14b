// Writes the tokenizer of nano-decoder from the training texts of its five domains, as GPT-2's is made (byte pairs, any
// text
// can be written): node --import tsx data/models/nano-decoder-tokenizer.ts
import { mkdirSync, writeFileSync } from "node:fs";
import { packageFile } from "../../sdk/package-file.js";
import { learnMerges } from "../../sdk/text/bpe.js";
import { DOMAINS, domainTexts } from "../../sdk/text/tasks/zero-shot/domain-texts.js";

const size = 1024;
/** Characters of each domain that the merges are learned from, so that none outweighs another. */
const sample = 150_000;
const PRETOKEN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const END = "<|endoftext|>";

/**
 * GPT-2's way to write a byte as a visible character: printable ones stand for themselves, the others follow from
 * U+0100.
 */
const visible = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
})();

const counts = new Map<string, number>();
for (const domain of DOMAINS) {
  let characters = 0;
  for (const { text } of domainTexts(domain).train) {
    for (const word of `${text.slice(0, sample - characters)}\n`.match(PRETOKEN)!) {
      const written = Array.from(new TextEncoder().encode(word), (byte) => visible[byte]).join("");
      counts.set(written, (counts.get(written) ?? 0) + 1);
    }
    characters += text.length;
    if (characters >= sample) break;
  }
}
const merges = learnMerges(counts, new Set(visible), size - visible.length - 1);
const pieces = [END, ...visible, ...merges.map((pair) => pair.join(""))];
const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [{ id: 0, content: END, single_word: false, lstrip: false, rstrip: false, normalized: false,
    special: true }],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: END, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ SpecialToken: { id: END, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, {
      Sequence: { id: "B", type_id: 1 },
    }],
    special_tokens: { [END]: { id: END, ids: [0], tokens: [END] } },
  },
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    merges,
  },
};
const config = { tokenizer_class: "PreTrainedTokenizerFast", bos_token: END, eos_token: END, pad_token: END,
  model_max_length: 256, clean_up_tokenization_spaces: false };
const folder = packageFile("data/models/nano-decoder");
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/tokenizer.json`, `${JSON.stringify(tokenizer)}\n`);
writeFileSync(`${folder}/tokenizer_config.json`, `${JSON.stringify(config, null, 2)}\n`);
