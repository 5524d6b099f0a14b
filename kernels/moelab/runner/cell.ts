/** One execution of a cell, as the runner thread knows it. */
export class Cell {
  interrupted = false;
  /** how often a function of this cell was told after the interrupt that it should end */
  refusals = 0;
  readonly controller = new AbortController();
  readonly timers = new Set<NodeJS.Timeout>();
  private readonly waiting = new Set<(error: Error) => void>();

  constructor(readonly key: number, readonly number: number, readonly allowInput: boolean) {}

  /** What a promise comes to, unless the cell is interrupted before. */
  await<T>(promise: PromiseLike<T>): Promise<T> {
    const place: { stack?: string } = {};
    Error.captureStackTrace(place);
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      const settle = <V>(then: (value: V) => void) => (value: V) => {
        this.waiting.delete(reject);
        then(value);
      };
      promise.then(settle(resolve), settle((error) => reject(placed(error, place))));
    });
  }

  /** Ends what can be ended from here: awaits throw, the signal aborts, timers never fire. */
  interrupt(): void {
    if (this.interrupted) return;
    this.interrupted = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    for (const reject of this.waiting) reject(new KernelInterrupt());
    this.waiting.clear();
    this.controller.abort(new KernelInterrupt());
  }
}

/** The stack of an error of Node's own (a file that is not there) ends before any cell: that of the await is added. */
function placed(error: unknown, place: { stack?: string }): unknown {
  try {
    if (error instanceof Error && !/Cell \[/.test(error.stack ?? "Cell ["))
      error.stack += `\n${place.stack!.split("\n").slice(1).join("\n")}`;
  } catch {
    // frozen, or with a stack that throws
  }
  return error;
}

export class KernelInterrupt extends Error {
  override name = "KernelInterrupt";

  constructor() {
    super("the cell was interrupted");
  }
}
