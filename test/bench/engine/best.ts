/**
 * Shortest time in milliseconds of a call, over at least `forMs` of calls; 0 is one call. Short calls are timed by the
 * dozen.
 */
export function best(work: () => void, forMs: number): number {
  const time = (calls: number) => {
    const started = performance.now();
    for (let i = 0; i < calls; i++) work();
    return (performance.now() - started) / calls;
  };
  let least = time(1);
  const end = performance.now() + forMs;
  while (performance.now() < end) least = Math.min(least, time(Math.max(1, Math.floor(2 / least))));
  return least;
}
