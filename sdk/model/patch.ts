import { isDeepStrictEqual } from "node:util";

/** A JSON merge patch (RFC 7386): null takes a key away, objects are merged, everything else is replaced. */
export type Patch<T> = T extends readonly unknown[] ? T
  : T extends object ? { [K in keyof T]?: Patch<T[K]> | null }
  : T;

/**
 * What a patch makes of an object; the object stays as it is.
 *
 * @example patched({ kind: "moe", router: { topK: 2, scale: 1 } }, { router: { topK: 1 } })
 */
export function patched<T extends object>(base: T, patch: Patch<T>): T {
  const made = new Map<string, unknown>(Object.entries(base));
  for (const [key, value] of Object.entries(patch as object)) {
    const before = made.get(key);
    if (value === null) made.delete(key);
    else made.set(key, isObject(value) ? patched(isObject(before) ? before : {}, value) : structuredClone(value));
  }
  return Object.fromEntries(made) as T; // defines "__proto__" like any other key
}

/** What `changed` has that `base` has not, as a patch; undefined where they are equal. */
export function patchBetween<T extends object>(base: T, changed: T): Patch<T> | undefined {
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(base), ...Object.keys(changed)])) {
    const [before, after] = [base[key as keyof T], changed[key as keyof T]] as unknown[];
    if (isDeepStrictEqual(before, after)) continue;
    if (after === undefined) patch[key] = null;
    else patch[key] = isObject(after) ? patchBetween(isObject(before) ? before : {}, after) ?? {} : after;
  }
  return Object.keys(patch).length > 0 ? (patch as Patch<T>) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
