/** Shortest time in milliseconds of a call, over at least `forMs` of calls; 0 is one call. */
export function best(work: () => void, forMs: number): number {
  let least = Infinity;
  const end = performance.now() + forMs;
  do {
    const started = performance.now();
    work();
    least = Math.min(least, performance.now() - started);
  } while (performance.now() < end);
  return least;
}
