/** What messages go through: a port of a thread, or the channel to a process. */
export interface Port {
  on(type: "message", listener: (message: any) => void): unknown;
  postMessage(message: unknown): void;
}

/** Calls the methods of an object that lives in another thread; calls are answered in order. */
export function remote<
  T extends object,
>(port: Port): {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
} {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  port.on("message", ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  });
  return new Proxy({} as never, {
    get: (_, method) => (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        port.postMessage({ id: last, method, args });
      }),
  });
}

/** The other end of `remote`. */
export function serve(port: Port, target: object): void {
  const methods = target as Record<string, (...args: unknown[]) => unknown>;
  port.on("message", async ({ id, method, args }: { id: number; method: string; args: unknown[] }) => {
    try {
      port.postMessage({ id, value: await methods[method]!(...args) });
    } catch (error) {
      port.postMessage({ id, error: isTooDeep(error) ? TOO_DEEP : String((error as Error)?.stack ?? error) });
    }
  });
}

const TOO_DEEP =
  "cell: it is nested too deeply to be read; accepted are some hundreds of levels of brackets. Write it in "
  + "parts, or read such data from a file.";

function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}
