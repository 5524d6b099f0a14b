import blank from "../../../data/tasks/blank.json" with { type: "json" };
import century from "../../../data/tasks/century.json" with { type: "json" };
import derive from "../../../data/tasks/derive.json" with { type: "json" };
import domain from "../../../data/tasks/domain.json" with { type: "json" };
import kind from "../../../data/tasks/kind.json" with { type: "json" };
import lemma from "../../../data/tasks/lemma.json" with { type: "json" };
import name from "../../../data/tasks/name.json" with { type: "json" };
import party from "../../../data/tasks/party.json" with { type: "json" };
import pos from "../../../data/tasks/pos.json" with { type: "json" };
import pron from "../../../data/tasks/pron.json" with { type: "json" };
import spam from "../../../data/tasks/spam.json" with { type: "json" };
import span from "../../../data/tasks/span.json" with { type: "json" };
import spell from "../../../data/tasks/spell.json" with { type: "json" };
import stress from "../../../data/tasks/stress.json" with { type: "json" };
import { centuryOfSpeech } from "./century-of-speech.js";
import { classOfGloss } from "./class-of-gloss.js";
import { classOfName } from "./class-of-name.js";
import { derivedWord } from "./derived-word.js";
import { domainOfText } from "./domain-of-text.js";
import { formToLemma } from "./form-to-lemma.js";
import { partOfSpeech } from "./part-of-speech.js";
import { partyOfSpeech } from "./party-of-speech.js";
import { pronounceToSpell } from "./pronounce-to-spell.js";
import { spamOrHam } from "./spam-or-ham.js";
import { spellToPronounce } from "./spell-to-pronounce.js";
import type { Parts } from "./split.js";
import { stressPattern } from "./stress-pattern.js";
import type { Sizes, TaskDefinition } from "./task.js";
import { wordOfBlank } from "./word-of-blank.js";
import { wordsAfter } from "./words-after.js";

/**
 * The declarations of all tasks by name, those that generate first. A new task is one JSON file, one builder, and its
 * lines here.
 */
export const DEFINITIONS: ReadonlyMap<string, TaskDefinition> = new Map(
  ([pron, spell, lemma, derive, span, stress, century, kind, name, pos, domain, party, blank, spam] as TaskDefinition[])
    .map((definition) => [definition.name, definition]),
);

/** The builders that declarations name. */
export const BUILDERS: Record<string, (sizes: Sizes) => Parts> = {
  spellToPronounce,
  pronounceToSpell,
  formToLemma,
  derivedWord,
  wordsAfter,
  stressPattern,
  centuryOfSpeech,
  classOfGloss,
  classOfName,
  partOfSpeech,
  domainOfText,
  partyOfSpeech,
  wordOfBlank,
  spamOrHam,
};
