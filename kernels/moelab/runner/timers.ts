import { currentCell, type Cell } from "./cell.js";

let active: Cell | undefined;

/** The cell whose timer callback is running, or was torn out of: after a normal return there is none. */
export function takeActiveTimer(): Cell | undefined {
  const cell = active;
  active = undefined;
  return cell;
}

/**
 * Ties timers to the cell that starts them, so that an interrupt of the cell ends them too.
 * Behaviour is Node's own otherwise.
 */
export function trackTimers(): void {
  for (const name of ["setTimeout", "setInterval"] as const) {
    const start = globalThis[name] as (callback: (...args: unknown[]) => void, ...rest: unknown[]) => NodeJS.Timeout;
    const tracked = (callback: (...args: unknown[]) => void, ...rest: unknown[]) => {
      const cell = currentCell();
      if (!cell || typeof callback !== "function") return start(callback, ...rest);
      const timer = start(
        (...args) => {
          if (name === "setTimeout") cell.timers.delete(timer);
          active = cell;
          try {
            callback(...args);
          } finally {
            active = undefined; // not reached when V8 terminates the callback
          }
        },
        ...rest,
      );
      cell.timers.add(timer);
      return timer;
    };
    // util.promisify(setTimeout) finds its variant on the function
    Object.defineProperties(tracked, Object.getOwnPropertyDescriptors(start));
    globalThis[name] = tracked as never;
  }
  const clear = { clearTimeout, clearInterval };
  for (const name of ["clearTimeout", "clearInterval"] as const) {
    globalThis[name] = ((timer: NodeJS.Timeout) => {
      currentCell()?.timers.delete(timer);
      clear[name](timer);
    }) as never;
  }
}
