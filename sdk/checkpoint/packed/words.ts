/** Bytes as 32-bit words; copied where they do not lie on a multiple of four. */
export function words(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(buffer, byteOffset, bytes.length >> 2);
}

/** [rows, columns] -> [columns, rows] */
export function turned<T extends Uint8Array | Int32Array | Float32Array>(numbers: T, columns: number): T {
  const rows = columns === 0 ? 0 : numbers.length / columns;
  const result = numbers.slice() as T;
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at++) result[column * rows + row] = numbers[at];
  return result;
}
