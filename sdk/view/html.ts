import { DISPLAY, type Displayable, type MimeBundle } from "./displayable.js";

/** Markup that is safe to show: made by `html` alone, so that every value in it was escaped. */
export class Html implements Displayable {
  readonly #markup: string;

  /** @param markup trusted markup; use `html` for anything that holds data */
  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }

  [DISPLAY](): MimeBundle {
    return { data: { "text/html": this.#markup, "text/plain": this.toText() } };
  }

  /** The words without the markup. */
  toText(): string {
    return this.#markup.replace(/<[^>]*>/g, " ").replace(/&(amp|lt|gt|quot|#39);/g, (entity) => CHARACTERS[entity])
      .replace(/\s+/g, " ").trim();
  }
}

/**
 * Template tag for HTML: every value is escaped, whatever it is; an `Html` is kept, an array is joined,
 * and null, undefined and false leave nothing. Attribute values must stand in quotes.
 *
 * @example String(html`<b title="${"a\"b"}">${"<i>"}</b>`)  // '<b title="a&quot;b">&lt;i&gt;</b>'
 */
export function html(parts: TemplateStringsArray, ...values: unknown[]): Html {
  return new Html(parts.reduce((markup, part, i) => markup + (i > 0 ? markupOf(values[i - 1]) : "") + part, ""));
}

function markupOf(value: unknown): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(markupOf).join("");
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&#39;" };
const CHARACTERS: Record<string, string> = Object.fromEntries(
  Object.entries(ENTITIES).map(([character, entity]) => [entity, character]),
);
