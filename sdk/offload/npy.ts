import { open } from "node:fs/promises";

const TYPES: Record<string, (buffer: ArrayBuffer) => ArrayLike<number | bigint>> = {
  "|i1": (buffer) => new Int8Array(buffer),
  "|u1": (buffer) => new Uint8Array(buffer),
  "<i2": (buffer) => new Int16Array(buffer),
  "<u2": (buffer) => new Uint16Array(buffer),
  "<i4": (buffer) => new Int32Array(buffer),
  "<u4": (buffer) => new Uint32Array(buffer),
  "<i8": (buffer) => new BigInt64Array(buffer),
  "<u8": (buffer) => new BigUint64Array(buffer),
};
const HEADER = /^\{'descr': '([^']{3})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\),? \}\s*$/;
const MAX_BYTES = 2 ** 31 - 1;

/** Whole numbers of a file of numpy. @param refuse says what is wrong with it */
export async function readNpy(
  path: string,
  refuse: (seen: string) => Error,
): Promise<{ shape: number[]; values: Int32Array }> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw refuse(`it cannot be opened (${error.code})`);
  });
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > MAX_BYTES)
      throw refuse(found.isFile() ? `it has ${found.size} bytes` : "it is no file");
    const bytes = await file.readFile();
    const long = bytes[6] === 1 ? 2 : 4, start = 8 + long;
    if (bytes.toString("latin1", 0, 6) !== "\u0093NUMPY" || bytes.length < start)
      throw refuse("it does not begin as .npy");
    const length = long === 2 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
    const [, type, fortran, dims] = HEADER.exec(bytes.toString("latin1", start, start + length)) ?? [];
    const read = type !== undefined && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    if (!read || fortran === "True")
      throw refuse(
        `the numbers are ${type ?? "?"}${fortran === "True" ? " in Fortran's order" : ""}, not whole ones row by row`,
      );
    const shape = dims.split(",").map((n) => n.trim()).filter(Boolean).map(Number);
    const count = shape.reduce((product, n) => product * n, 1), size = count * Number(type![2]);
    if (start + length + size !== bytes.length)
      throw refuse(
        `the shape is [${shape}], which takes ${size} bytes, and there are ${bytes.length - start - length}`,
      );
    const data = bytes.buffer.slice(bytes.byteOffset + start + length, bytes.byteOffset + bytes.length) as ArrayBuffer;
    return { shape, values: Int32Array.from({ length: count }, ((numbers) => (_: unknown, i: number) =>
      Number(numbers[i]))(read(data))) };
  } finally {
    await file.close();
  }
}
