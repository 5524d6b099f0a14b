/**
 * Runs something, to the end of its promise if it gives one, while nothing that JavaScript prints comes out: what
 * packages say while they load would land in notebooks.
 */
export function quietly<T>(work: () => T): T {
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write);
  const spoken = ["log", "info", "warn", "error", "debug"] as const;
  const said = spoken.map((name) => console[name]);
  const swallow = (...args: unknown[]): boolean => {
    const done = args.find((arg) => typeof arg === "function") as (() => void) | undefined;
    if (done) process.nextTick(done);
    return true;
  };
  for (const stream of streams) stream.write = swallow as typeof stream.write;
  for (const name of spoken) console[name] = () => {};
  const restore = () => {
    streams.forEach((stream, i) => (stream.write = writes[i]));
    spoken.forEach((name, i) => (console[name] = said[i]));
  };
  try {
    const result = work();
    if (result instanceof Promise) return result.finally(restore) as T;
    restore();
    return result;
  } catch (error) {
    restore();
    throw error;
  }
}
