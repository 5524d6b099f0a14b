import { FormatError } from "../../errors.js";

/** The best parameter for gaps where a share p is there: smallest m with (1 - p)^m + (1 - p)^(m + 1) <= 1. */
export function golombParameter(density: number): number {
  if (!(density > 0)) return 1;
  let m = 1;
  while ((1 - density) ** m + (1 - density) ** (m + 1) > 1) m++;
  return m;
}

/** Bits of a gap: quotient in unary, remainder in truncated binary (Golomb 1966). */
export function golombLength(gap: number, m: number): number {
  const bits = Math.ceil(Math.log2(m));
  return Math.floor(gap / m) + 1 + (m === 1 ? 0 : gap % m < 2 ** bits - m ? bits - 1 : bits);
}

/** Bits a number of a long random vector with this share of places and a sign each, by the best parameter. */
export function expectedBits(density: number): number {
  const m = golombParameter(density);
  let bits = 0, left = 1;
  for (let gap = 0; left > 1e-12; gap++) {
    bits += left * density * golombLength(gap, m);
    left *= 1 - density;
  }
  return density * (bits + 1);
}

/**
 * Positions that rise, as gaps, each followed by a bit.
 *
 * @param signs 1 bit for each position
 */
export function encodeGaps(positions: ArrayLike<number>, signs: ArrayLike<number>, m: number): Uint8Array {
  let length = positions.length, last = -1;
  for (let i = 0; i < positions.length; i++) {
    length += golombLength(positions[i] - last - 1, m);
    last = positions[i];
  }
  const bytes = new Uint8Array(Math.ceil(length / 8));
  let at = 0;
  const put = (bit: number) => {
    bytes[at >> 3] |= bit << (7 - (at & 7));
    at += 1;
  };
  const putNumber = (value: number, bits: number) => {
    for (let bit = bits - 1; bit >= 0; bit--) put((value >> bit) & 1);
  };
  const bits = Math.ceil(Math.log2(m)), short = 2 ** bits - m;
  last = -1;
  for (let i = 0; i < positions.length; i++) {
    const gap = positions[i] - last - 1, rest = gap % m;
    last = positions[i];
    for (let quotient = Math.floor(gap / m); quotient > 0; quotient--) put(1);
    put(0);
    if (m > 1) rest < short ? putNumber(rest, bits - 1) : putNumber(rest + short, bits);
    put(signs[i]);
  }
  return bytes;
}

/**
 * Reads what `encodeGaps` wrote.
 *
 * @param count positions @param size positions lie below it
 * @throws FormatError `golomb` where the bits end early or lead beyond `size`
 */
export function decodeGaps(
  bytes: Uint8Array,
  count: number,
  m: number,
  size: number,
): { positions: Uint32Array; signs: Uint8Array } {
  const refuse = (seen: string) =>
    new FormatError("golomb", `read: ${seen}; accepted are ${count} gaps below ${size}. Fetch the file again.`);
  if (!(m >= 1)) throw refuse(`the parameter is ${m}`);
  if (count > size || count > 8 * bytes.length) throw refuse(`${bytes.length} bytes cannot hold ${count} gaps`);
  const positions = new Uint32Array(count), signs = new Uint8Array(count);
  const bits = Math.ceil(Math.log2(m)), short = 2 ** bits - m;
  let at = 0, last = -1;
  const take = () => {
    if (at >= 8 * bytes.length) throw refuse("the bits end early");
    const bit = (bytes[at >> 3] >> (7 - (at & 7))) & 1;
    at += 1;
    return bit;
  };
  const takeNumber = (bits: number) => {
    let value = 0;
    for (let i = 0; i < bits; i++) value = 2 * value + take();
    return value;
  };
  for (let i = 0; i < count; i++) {
    let gap = 0;
    while (take() === 1) gap += m;
    if (m > 1) {
      let rest = takeNumber(bits - 1);
      if (rest >= short) rest = 2 * rest + take() - short;
      gap += rest;
    }
    last += gap + 1;
    if (last >= size) throw refuse(`position ${last}`);
    positions[i] = last;
    signs[i] = take();
  }
  return { positions, signs };
}
