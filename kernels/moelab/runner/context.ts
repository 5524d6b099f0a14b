import { promiseHooks } from "node:v8";
import type { Cell } from "./cell.js";
import { replace } from "./replace.js";

// AsyncLocalStorage would do this, but on Node before 24 it stands on async_hooks, whose stack Node checks with an
// assertion:
// a function that an interrupt tears out of a promise's continuation would end the process.

let current: Cell | undefined;
/**
 * Shared with the server thread. [0] is 1 while code of a cell runs: only then may V8 be told to terminate what runs
 * here.
 * [1] is 1 from the stop button until the event loop has answered: queued callbacks of cells are dropped meanwhile,
 * since a
 * chain of ticks would keep the loop from ever answering.
 */
export const cellRuns = new Int32Array(new SharedArrayBuffer(8));
let inTimer: Cell | undefined;
/** the last error that left a cell's code: by the time Node reports it as uncaught, no cell is current */
let thrown: { error: unknown; cell: Cell } | undefined;
const owners = new WeakMap<object, Cell>();

/** The cell whose code is running, also in its timers and after its awaits. */
export function currentCell(): Cell | undefined {
  return current;
}

function enter(cell: Cell | undefined): void {
  current = cell;
  cellRuns[0] = cell ? 1 : 0;
}

/** The cell that made a promise. */
export function ownerOf(promise: object): Cell | undefined {
  return owners.get(promise);
}

/** Runs a function so that all it starts, now or later, belongs to the cell. */
export function runAs<T>(cell: Cell, run: () => T): T {
  const before = current;
  enter(cell);
  try {
    return run();
  } catch (error) {
    thrown = { error, cell };
    throw error;
  } finally {
    enter(before);
  }
}

/** The cell whose timer or queued callback threw an error that nobody caught. */
export function throwerOf(error: unknown): Cell | undefined {
  return thrown && Object.is(thrown.error, error) ? thrown.cell : undefined;
}

/**
 * After V8 has terminated a function nothing is running, whatever was noted.
 * @returns the cell whose timer was torn down, if it was a timer
 */
export function resetContext(): Cell | undefined {
  const torn = inTimer;
  inTimer = undefined;
  enter(undefined);
  return torn;
}

/** Ties promises, timers and queued callbacks to the cell that starts them. */
export function trackContext(): void {
  promiseHooks.createHook({
    init(promise: object) {
      if (current) owners.set(promise, current);
    },
    before(promise: object) {
      enter(owners.get(promise));
    },
    after() {
      enter(undefined);
    },
  });
  for (const name of ["setTimeout", "setInterval"] as const) wrapTimer(name);
  wrapImmediate();
  wrapQueue(globalThis, "queueMicrotask");
  wrapQueue(process, "nextTick");
}

type Callback = (...args: unknown[]) => void;

/** Timers are also noted at their cell, so that an interrupt ends them. */
function wrapTimer(name: "setTimeout" | "setInterval"): void {
  const start = globalThis[name] as (callback: Callback, ...rest: unknown[]) => NodeJS.Timeout;
  replace(globalThis, name, (callback: Callback, ...rest: unknown[]) => {
    const cell = current;
    if (!cell || typeof callback !== "function") return start(callback, ...rest);
    const fire: Callback = function(this: unknown, ...args) {
      if (name === "setTimeout") cell.timers.delete(timer);
      inTimer = cell;
      try {
        runAs(cell, () => callback.apply(this, args));
      } finally {
        inTimer = undefined; // not reached when V8 terminates the callback
      }
    };
    const timer = start(fire, ...rest);
    if (cell.interrupted) clearTimeout(timer);
    else cell.timers.add(timer);
    return timer;
  });
}

/** A chain of immediates ends when its cell is interrupted. */
function wrapImmediate(): void {
  const start = setImmediate as (callback: Callback, ...rest: unknown[]) => NodeJS.Immediate;
  replace(globalThis, "setImmediate", (callback: Callback, ...rest: unknown[]) => {
    const cell = current;
    return cell && typeof callback === "function"
      ? start((...args) => cell.interrupted || runAs(cell, () => callback(...args)), ...rest)
      : start(callback, ...rest);
  });
}

function wrapQueue(holder: object, name: string): void {
  const start = (holder as Record<string, Function>)[name]!;
  replace(holder, name, (callback: Callback, ...rest: unknown[]) => {
    const cell = current;
    if (!cell || typeof callback !== "function") return start.call(holder, callback, ...rest);
    return start.call(holder,
      (...args: unknown[]) => Atomics.load(cellRuns, 1) === 1 || runAs(cell, () => callback(...args)), ...rest);
  });
}
