/** Bytes that are known, to be compared with a place of a file: four at once, the last few one by one. */
export class Literal {
  readonly length: number;
  private readonly words: Int32Array;
  private readonly rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    const view = viewOf(bytes);
    this.length = bytes.length;
    this.words = Int32Array.from({ length: bytes.length >> 2 }, (_, word) => view.getInt32(4 * word, true));
    this.rest = bytes.slice(4 * this.words.length);
  }

  /** @param view of the file's bytes */
  isAt(view: DataView, start: number): boolean {
    const { words, rest } = this;
    if (start + this.length > view.byteLength) return false;
    let at = start;
    for (let word = 0; word < words.length; word++, at += 4) if (view.getInt32(at, true) !== words[word]) return false;
    for (let byte = 0; byte < rest.length; byte++, at++) if (view.getUint8(at) !== rest[byte]) return false;
    return true;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
