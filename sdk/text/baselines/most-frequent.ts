/**
 * Counts what follows a key, and tells what followed it most often. Equal counts: the one seen first.
 *
 * @example const table = mostFrequent(); table.add("a", "x"); table.get("a")  // "x"
 */
export function mostFrequent(): { add(key: string, value: string): void; get(key: string): string | undefined } {
  const counts = new Map<string, Map<string, number>>();
  return {
    add(key, value) {
      if (!counts.has(key)) counts.set(key, new Map());
      const values = counts.get(key)!;
      values.set(value, (values.get(value) ?? 0) + 1);
    },
    get(key) {
      let best: string | undefined;
      let most = 0;
      for (const [value, count] of counts.get(key) ?? []) if (count > most) [best, most] = [value, count];
      return best;
    },
  };
}
