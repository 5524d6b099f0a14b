/** Runs something while nothing that JavaScript prints comes out: what packages say while they load would land in notebooks. */
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
  try {
    return work();
  } finally {
    streams.forEach((stream, i) => (stream.write = writes[i]));
    spoken.forEach((name, i) => (console[name] = said[i]));
  }
}
