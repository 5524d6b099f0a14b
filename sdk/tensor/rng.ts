import { MoeError } from "../errors.js";

/**
 * A seeded generator of random numbers (sfc32): the same seed gives the same numbers on every machine.
 * Passed down to whatever draws; the global generator is never used.
 *
 * @example const rng = new Rng(7); rng.int(10); rng.fork("router").normal();
 */
export class Rng {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(seed: number | string) {
    const [a, b] = typeof seed === "string" ? scramble(seed) : [seed | 0, Math.floor(seed / 2 ** 32) | 0];
    [this.a, this.b, this.c, this.counter] = [0, a, b, 1];
    for (let i = 0; i < 15; i++) this.bits();
  }

  /** 32 random bits as an unsigned integer */
  bits(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** uniform in [0, 1), 32 bits fine */
  next(): number {
    return this.bits() / 2 ** 32;
  }

  /** uniform in 0 ... n - 1, without bias. @throws MoeError `rng-int` */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32)
      throw new MoeError("rng-int",
        `int: n is ${n}; accepted is a whole number from 1 to 2^32. Check what is drawn from: it may be empty.`);
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % n;
    }
  }

  /** standard normal (Box and Muller) */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }

  /** reorders in place (Fisher and Yates) and returns the array */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const swapped = array[i];
      array[i] = array[j];
      array[j] = swapped;
    }
    return array;
  }

  /**
   * A generator of its own for one purpose. Depends on this one's state and the label, and leaves this one as it is.
   */
  fork(label: string): Rng {
    return new Rng(`${label}/${this.state().join(",")}`);
  }

  /** four integers, for a file; see `Rng.from` */
  state(): number[] {
    return [this.a, this.b, this.c, this.counter];
  }

  /** the generator that goes on where `state()` was taken */
  static from(state: number[]): Rng {
    const rng = new Rng(0);
    [rng.a, rng.b, rng.c, rng.counter] = state;
    return rng;
  }
}

/** two 32-bit hashes of a string (FNV-1a, two offsets) */
function scramble(text: string): [number, number] {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
    b ^= b >>> 13;
  }
  return [a | 0, b | 0];
}
