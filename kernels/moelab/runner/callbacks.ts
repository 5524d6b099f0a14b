import crypto from "node:crypto";
import { EventEmitter } from "node:events";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { Cell } from "./cell.js";
import { currentCell, runAs } from "./context.js";
import { replace } from "./replace.js";

type Callback = (...args: unknown[]) => void;

/** Ties what Node calls back from outside, where no promise leads to it, to the cell that asked for it. */
export function bindCallbacks(): void {
  wrapListeners();
  wrapCallbacks(fs);
  wrapCallbacks(crypto);
  syncBuiltinESMExports(); // for import { readFile } from "node:fs"
}

/** Sockets, streams and processes call back from outside: a listener belongs to the cell that added it. */
function wrapListeners(): void {
  type Listener = Callback & { listener?: Callback };
  type Add = (this: EventEmitter, type: string | symbol, listener: Listener) => EventEmitter;
  const emitter = EventEmitter.prototype as unknown as Record<string, Add>;
  const bound = new WeakSet<Listener>();
  const bind = (
    cell: Cell,
    listener: Listener,
    before: (emitter: EventEmitter, bound: Listener) => void = () => {},
  ): Listener => {
    const made: Listener = function(this: EventEmitter, ...args) {
      before(this, made);
      return runAs(cell, () => listener.apply(this, args));
    };
    made.listener = listener; // by which removeListener finds it
    bound.add(made);
    return made;
  };
  const isOurs = (listener: Listener) => currentCell() && typeof listener === "function" && !bound.has(listener);
  for (const [name, once] of [["on", "once"], ["prependListener", "prependOnceListener"]] as const) {
    const [add, addOnce] = [emitter[name]!, emitter[once]!];
    emitter[name] = function(type, listener) {
      return add.call(this, type, isOurs(listener) ? bind(currentCell()!, listener) : listener);
    };
    emitter[once] = function(type, listener) {
      if (!isOurs(listener)) return addOnce.call(this, type, listener);
      // its own `on`: that of a stream starts it
      return this[name](type, bind(currentCell()!, listener, (from, made) => from.removeListener(type, made)));
    };
  }
  emitter.addListener = emitter.on!;
}

/** `readFile(path, callback)` and its kind, which have a twin that ends with Sync. */
function wrapCallbacks(module: object): void {
  const calls = module as Record<string, Function>;
  for (const name of Object.keys(calls).filter((each) => typeof calls[`${each}Sync`] === "function")) {
    const call = calls[name]!;
    replace(calls, name, function(this: unknown, ...args: unknown[]) {
      const cell = currentCell();
      const callback = args.at(-1);
      if (cell && typeof callback === "function")
        args[args.length - 1] = (...given: unknown[]) => runAs(cell, () => callback(...given));
      return call.apply(this, args);
    });
  }
}
