/**
 * Hashes a string to an unsigned 32-bit number that is the same everywhere: FNV-1a over its UTF-16 codes, then a
 * finaliser.
 * The finaliser is needed because the low bits of bare FNV-1a are weak, and splits use the low bits.
 *
 * @example hash("abbey") % 20  // which of twenty parts the word belongs to
 */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x45d9f3b);
  h ^= h >>> 16;
  return h >>> 0;
}
