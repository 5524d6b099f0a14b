import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ORACLES = "fixtures/oracles/";

/**
 * Absolute path of something in `../shared` (oracles, prototypes), or undefined with a line that says what is skipped.
 * `MOELAB_ORACLES` names a folder that stands for that of the oracles.
 */
export function shared(path: string): string | undefined {
  const { MOELAB_ORACLES: oracles } = process.env;
  const full = oracles && path.startsWith(ORACLES)
    ? resolve(oracles, path.slice(ORACLES.length))
    : fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  if (existsSync(full)) return full;
  console.log(`skip: ${oracles ? full : `shared/${path}`} is not there`);
  return undefined;
}

/** Absolute path of a committed fixture. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}
