/** Computes a value at the first call and returns the same one afterwards; corpora keep their parsed form this way. */
export function once<T>(compute: () => T): () => T {
  let kept: { value: T } | undefined;
  return () => (kept ??= { value: compute() }).value;
}
