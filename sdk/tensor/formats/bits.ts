/**
 * Whole numbers as one run of bits, the lowest bits of the first number first, as GPTQ, compressed-tensors and numpy's
 * `packbits(bitorder="little")` have them. Each row begins with a byte of its own.
 *
 * @param bits of a number, 1 to 8
 * @param columns numbers of a row
 * @example packBits(Uint8Array.of(1, 2, 3), 4, 3)  // Uint8Array [0x21, 0x03]
 */
export function packBits(numbers: Uint8Array, bits: number, columns: number): Uint8Array {
  const rows = columns === 0 ? 0 : numbers.length / columns;
  const width = Math.ceil(columns * bits / 8);
  const packed = new Uint8Array(rows * width);
  for (let row = 0, from = 0; row < rows; row++) {
    for (let column = 0, at = 8 * row * width; column < columns; column++, at += bits, from++) {
      const word = numbers[from] << (at & 7);
      packed[at >>> 3] |= word;
      if (word > 255) packed[(at >>> 3) + 1] |= word >>> 8;
    }
  }
  return packed;
}

/** The inverse of `packBits`. */
export function unpackBits(packed: Uint8Array, bits: number, columns: number): Uint8Array {
  const width = Math.ceil(columns * bits / 8);
  const rows = width === 0 ? 0 : Math.floor(packed.length / width);
  const numbers = new Uint8Array(rows * columns);
  const mask = (1 << bits) - 1;
  for (let row = 0, to = 0; row < rows; row++) {
    // no byte beyond the last counts: a number that ends with its byte takes nothing from the next
    for (let column = 0, at = 8 * row * width; column < columns; column++, at += bits, to++)
      numbers[to] = ((packed[at >>> 3] | (packed[(at >>> 3) + 1] << 8)) >>> (at & 7)) & mask;
  }
  return numbers;
}
