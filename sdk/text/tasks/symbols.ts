/** A symbol that no prose can spell, because prose has no angle brackets. */
export const symbol = (name: string): string => `<${name}>`;

/** A word as symbols of its own, one a letter, so that spelled words do not mix with pieces of prose. */
export const spelled = (word: string): string[] => [...word].map(symbol);

/** Prose as elements of an item: each word with the space before it. */
export const prose = (text: string): string[] => text.split(" ").filter(Boolean).map((word) => ` ${word}`);

/** Reads symbols back: `<c><a><t>` is "cat", prose stays prose. */
export const written = (symbols: readonly string[]): string =>
  symbols.map((s) => s.replace(/^<(.*)>$/, "$1")).join("").trim();

/** Stands between the parts of a prompt. */
export const SEPARATOR = symbol("sep");

/** Stands for the missing word of a sentence. */
export const GAP = symbol("gap");
