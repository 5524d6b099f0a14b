import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Absolute path of something in `../shared` (oracles, prototypes), or undefined with a line that says what is skipped.
 */
export function shared(path: string): string | undefined {
  const full = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  if (existsSync(full)) return full;
  console.log(`skip: shared/${path} is not there`);
  return undefined;
}

/** Absolute path of a committed fixture. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}
