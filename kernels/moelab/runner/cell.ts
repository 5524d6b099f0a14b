import { AsyncLocalStorage } from "node:async_hooks";

/** One execution of a cell, as the runner thread knows it. */
export class Cell {
  interrupted = false;
  /** how often a function of this cell was told after the interrupt that it should end */
  refusals = 0;
  readonly controller = new AbortController();
  readonly timers = new Set<NodeJS.Timeout>();

  constructor(readonly key: number, readonly number: number, readonly allowInput: boolean) {}

  /** Ends what can be ended from here: awaits throw, the signal aborts, timers never fire. */
  interrupt(): void {
    this.interrupted = true;
    this.controller.abort(new KernelInterrupt());
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

export class KernelInterrupt extends Error {
  override name = "KernelInterrupt";

  constructor() {
    super("the cell was interrupted");
  }
}

const context = new AsyncLocalStorage<Cell>();

/** Runs a function so that all it starts, now or later, belongs to the cell. */
export function runAs<T>(cell: Cell, run: () => T): T {
  return context.run(cell, run);
}

/** The cell whose code is running, also in its timers and after its awaits. */
export function currentCell(): Cell | undefined {
  return context.getStore();
}
