/**
 * Bytes that are known, to be compared with a place of a file: eight at once, the last few one by one. Text in ASCII
 * alone, as
 * eight bytes are compared as one number, and other bytes can stand for no number, or for two zeros.
 */
export class Literal {
  readonly length: number;
  private readonly words: Float64Array;
  private readonly rest: Uint8Array;

  constructor(ascii: Uint8Array) {
    const view = viewOf(ascii);
    this.length = ascii.length;
    this.words = Float64Array.from({ length: ascii.length >> 3 }, (_, word) => view.getFloat64(8 * word, true));
    this.rest = ascii.slice(8 * this.words.length);
  }

  /** @param view of the file's bytes */
  isAt(view: DataView, start: number): boolean {
    const { words, rest } = this;
    if (start + this.length > view.byteLength) return false;
    let at = start;
    for (let word = 0; word < words.length; word++, at += 8)
      if (view.getFloat64(at, true) !== words[word]) return false;
    for (let byte = 0; byte < rest.length; byte++, at++) if (view.getUint8(at) !== rest[byte]) return false;
    return true;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
