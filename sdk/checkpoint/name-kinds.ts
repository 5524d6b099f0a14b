import { Literal, viewOf } from "./literal.js";
import { partOf } from "./tensor-summary.js";

const QUOTE = 0x22, BACKSLASH = 0x5c, ZERO = 0x30;
/** A published checkpoint has a hundred. */
const MAX_KINDS = 4096;
const MAX_NAME = 4000;
/** How many combinations of numbers a kind has at most, and by how many numbers a name has what each stays below. */
export const COMBINATIONS = 2 ** 40;
const LIMITS = [1, 2 ** 40, 2 ** 20, 2 ** 13, 2 ** 10];

interface Kind {
  part: string; /** what stands between numbers */
  literals: Literal[];
  limit: number;
  base: number; /** kind of the name that came after one of this kind the last time */
  next: number; /** see `hash` */
  hash?: number;
}

/**
 * Reads names of tensors as they stand in JSON. Nearly all differ from one before them by the numbers of layer and
 * expert
 * alone: such names are of one kind, and a name is its kind and its numbers. Which kind comes next is known from the
 * last
 * time, so a name is compared and not looked up, and no string is made of it.
 */
export class NameKinds {
  private readonly kinds: Kind[] = [];
  private readonly byPart = new Map<string, number>();
  private bytes: Uint8Array = new Uint8Array(0);
  private view = viewOf(this.bytes);
  /** of the name that was read last */
  kind = 0;
  /** … and what tells it from all others: an integer from 0 to 2^53 */
  key = 0;

  /**
   * @returns where the name's closing quote is; -1 for one with escapes, beyond ASCII, or with numbers that no model
   *   has
   */
  read(bytes: Uint8Array, start: number): number {
    if (bytes !== this.bytes) [this.bytes, this.view] = [bytes, viewOf(bytes)];
    const last = this.kinds[this.kind] as Kind | undefined;
    const end = last ? this.match(last.next, bytes, start) : -1;
    if (end >= 0) {
      this.kind = last!.next;
      return end;
    }
    const kind = this.kindOf(bytes, start);
    if (kind < 0) return -1;
    if (last) last.next = kind;
    this.kind = kind;
    return this.match(kind, bytes, start);
  }

  /** The common name of a kind, with * for numbers. */
  part(kind: number): string {
    return this.kinds[kind].part;
  }

  /** A number that stands for the common name, the same wherever it is read. */
  hash(kind: number, seed: number): number {
    const known = this.kinds[kind];
    return (known.hash ??= [...known.part].reduce((hash, character) => mix(hash ^ character.charCodeAt(0)), seed));
  }

  /** Compares with the names of a kind, and sets the key if it fits. */
  private match(kind: number, bytes: Uint8Array, start: number): number {
    const { literals, limit, base } = this.kinds[kind];
    const { view } = this;
    let at = start, key = base;
    for (let i = 0; i < literals.length; i++) {
      if (i > 0) {
        const first = at;
        let number = 0;
        for (let digit = bytes[at] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at] - ZERO)
          number = number * 10 + digit;
        // 007 and 7 are two names
        if (at === first || number >= limit || (at - first > 1 && bytes[first] === ZERO)) return -1;
        key = key * limit + number;
      }
      if (!literals[i].isAt(view, at)) return -1;
      at += literals[i].length;
    }
    this.key = key;
    return at - 1;
  }

  private kindOf(bytes: Uint8Array, start: number): number {
    const end = bytes.indexOf(QUOTE, start);
    if (end < 0 || end - start > MAX_NAME) return -1;
    for (let at = start; at < end; at++)
      if (bytes[at] < 0x20 || bytes[at] > 0x7e || bytes[at] === BACKSLASH || bytes[at] === 0x2a) return -1;
    const part = partOf(new TextDecoder().decode(bytes.subarray(start, end)));
    const known = this.byPart.get(part);
    if (known !== undefined) return known;
    const numbers = part.split("*").length - 1;
    if (this.kinds.length === MAX_KINDS || numbers >= LIMITS.length) return -1;
    const literals = `${part}"`.split("*").map((piece) => new Literal(new TextEncoder().encode(piece)));
    const kind = this.kinds.length, limit = LIMITS[numbers];
    this.kinds.push({ part, literals, limit, base: kind * (COMBINATIONS / limit ** numbers), next: kind });
    this.byPart.set(part, kind);
    return kind;
  }
}

/** The finaliser of MurmurHash3. */
export function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
