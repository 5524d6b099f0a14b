import { MoeError } from "../errors.js";

const UNITS: Record<string, number> = { "": 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20,
  gib: 2 ** 30, tib: 2 ** 40 };

/**
 * A number of bytes from a number or a text.
 *
 * @throws MoeError `bad-memory`
 * @example bytesFrom("2GiB")  // 2147483648
 */
export function bytesFrom(size: number | string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)\s*$/i.exec(typeof size === "object" ? "" : String(size));
  const bytes = match ? Number(match[1]) * (UNITS[match[2].toLowerCase()] ?? NaN) : NaN;
  if (Number.isFinite(bytes)) return Math.floor(bytes);
  throw new MoeError("bad-memory",
    `load: memory is ${JSON.stringify(size)}; accepted is a number of bytes or a text like "2GiB" or `
      + `"500MB". Give one of them.`);
}
