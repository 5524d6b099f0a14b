import { types } from "node:util";
import { Script } from "node:vm";
import type { CompiledCell, Outcome, RunRequest, ToRunner, ToServer } from "../threads.js";
import { bundleOf, promiseBundle } from "./bundle.js";
import { bindCallbacks } from "./callbacks.js";
import { Cell, KernelInterrupt } from "./cell.js";
import { captureChildren } from "./child-output.js";
import { cellRuns, currentCell, ownerOf, resetContext, runAs, throwerOf, trackContext } from "./context.js";
import { errorReport } from "./error-report.js";
import { Host } from "./host.js";
import { cellMeta, Modules } from "./modules.js";
import { atItsPlace, installStackTraces, scriptName } from "./scripts.js";
import { StandardInput } from "./standard-input.js";
import { type CapturedStreams, captureStreams } from "./streams.js";
import { showWarnings } from "./warnings.js";

/** Not the one that cells see, which an interrupt ends. */
const nodeSetImmediate = setImmediate;

const MAX_SETTLE_MS = 500;

/** An interrupted cell that swallows the error at each await is left hanging after so many. */
const MAX_REFUSALS = 100;

/**
 * Runs compiled cells on the process's main thread.
 * An interrupt may tear the thread out of any function here: what must happen at the end of a cell is therefore done by
 * `finish`, which the interrupt calls itself, never by code after an await.
 */
export class Runner {
  /** the variables of all cells: every cell reads and writes the same ones */
  private readonly variables: Record<string, unknown> = Object.create(null);
  private readonly modules: Modules;
  private readonly host: Host;
  private readonly streams: CapturedStreams;
  private running?: { cell: Cell; report: "done" | "evaluated" };
  private latest?: Cell;

  constructor(
    private readonly folder: string,
    home: string,
    kernelFolder: string,
    private readonly send: (message: ToServer) => void,
  ) {
    const owner = () => currentCell() ?? this.running?.cell ?? this.latest;
    this.modules = new Modules(folder, home);
    this.services.meta = cellMeta(folder, this.modules.require);
    this.host = new Host(owner, (message) => this.post(message));
    installStackTraces(kernelFolder);
    trackContext();
    bindCallbacks();
    captureChildren(() => this.settle(), (pid) => send({ type: "child", key: owner()?.key ?? 0, pid }));
    this.streams = captureStreams(owner, (key, name, text) => send({ type: "stream", key, name, text }));
    this.host.install();
    new StandardInput(() => this.host.input(), () => this.running !== undefined, (error) => this.fail(error)).install();
    showWarnings();
    this.listen();
  }

  private readonly listeners: Record<string, (...args: any[]) => void> = {
    uncaughtException: (error) => this.stray("Uncaught exception", error, throwerOf(error) ?? currentCell()),
    unhandledRejection: (error, promise) => this.stray("Unhandled rejection", error, ownerOf(promise)),
    SIGINT: () => this.interrupt(),
  };

  /** A cell may have removed all listeners: without these the next stray error would end the kernel. */
  private listen(): void {
    for (const [event, listener] of Object.entries(this.listeners))
      if (!process.listeners(event as NodeJS.Signals).includes(listener)) process.on(event, listener);
  }

  receive(message: ToRunner): void {
    if (message.type === "run") this.run(message.request);
    else if (message.type === "evaluate") this.evaluate(message.key, message.compiled);
    else if (message.type === "prefetch") this.modules.import(message.specifier).catch(() => {}); // the cell tells
    else if (message.type === "interrupt") this.interrupt(message.upTo);
    else if (message.type === "input") this.host.answerInput(message.key, message.value);
    else if (message.type === "comm") this.host.receiveComm(message.kind, message.content);
  }

  private post(message: ToServer): void {
    this.streams.flush();
    this.send(message);
  }

  /** Returns when the server has what was sent until now. */
  private settle(): void {
    const reached = new Int32Array(new SharedArrayBuffer(4));
    this.post({ type: "settle", reached });
    Atomics.wait(reached, 0, 0, MAX_SETTLE_MS);
  }

  private run(request: RunRequest): void {
    const cell = (this.latest = new Cell(request.key, request.number, request.allowInput));
    this.start(cell, "done", request);
  }

  private evaluate(key: number, compiled: CompiledCell): void {
    const cell = this.latest?.key === key ? this.latest : new Cell(key, 0, false);
    this.start(cell, "evaluated", { key, number: cell.number, source: "", compiled });
  }

  private start(
    cell: Cell,
    report: "done" | "evaluated",
    request: Pick<RunRequest, "key" | "number" | "source" | "compiled">,
  ): void {
    this.running = { cell, report };
    runAs(cell, () => this.value(cell, request)).then((value) => this.finish(cell, { status: "ok", value }),
      (error) => this.finish(cell, { status: "error", ...errorReport(error) }));
  }

  private async value(cell: Cell, request: Pick<RunRequest, "key" | "number" | "source" | "compiled">) {
    const head = "(async (__vars, __cell, require, module, exports, __dirname, __filename) => { 'use strict';";
    const body = this.script(`${head}\n${request.compiled.js}\n})`, scriptName(request))
      .runInThisContext() as (...args: unknown[]) => Promise<[unknown] | undefined>;
    const { require, module } = this.modules;
    const result = await body(this.variables, this.services, require, module, module.exports, this.folder,
      module.filename);
    const value = result?.[0];
    const settled = types.isPromise(value) ? this.settled(cell, value) : undefined;
    // by then Node has told of rejections that nobody waits for: they stand in the output of the cell
    await new Promise((resolve) => nodeSetImmediate(resolve));
    return settled ? promiseBundle(value, await settled()) : bundleOf(value);
  }

  /**
   * What a promise that ends a cell has come to; it is not waited for.
   * @returns a function that gives undefined as long as it is pending, and throws what it was rejected with
   */
  private settled(cell: Cell, promise: Promise<unknown>): () => Promise<{ value: unknown } | undefined> {
    let outcome: (() => { value: unknown }) | undefined;
    let told = false;
    promise.then((value) => (outcome = () => ({ value })), (error) => {
      if (told) this.stray("Unhandled rejection", error, cell);
      outcome = () => {
        throw error;
      };
    });
    return async () => {
      told = true;
      return outcome?.();
    };
  }

  private script(js: string, filename: string): Script {
    try {
      return new Script(js, { filename, lineOffset: -1 });
    } catch (error) {
      throw atItsPlace(error);
    }
  }

  /** What compiled cells call. */
  private readonly services = {
    meta: {},
    import: (specifier: string, options?: ImportCallOptions) => this.modules.import(String(specifier), options),
    bind: (local: string, namespace: Record<string, unknown>, name: string, specifier: string) =>
      this.modules.bind(this.variables, local, namespace, name, specifier),
    /**
     * `await x` of a cell is compiled to `resume(await wait(x))`: an interrupted cell goes no further than its next
     * await
     */
    wait: (value: unknown) => {
      const cell = currentCell();
      if (!cell) return value;
      if (cell.interrupted) return cell.refusals++ > MAX_REFUSALS ? new Promise(() => {}) : value;
      return isThenable(value) ? cell.await(value) : value;
    },
    resume: <T>(value: T): T => {
      if (currentCell()?.interrupted) throw new KernelInterrupt();
      return value;
    },
  };

  private finish(cell: Cell, outcome: Outcome): void {
    if (this.running?.cell !== cell) return;
    const { report } = this.running;
    this.running = undefined;
    this.listen();
    this.streams.end(cell);
    this.post({ type: report, key: cell.key, outcome });
  }

  /** Ends the running cell, which waits for something that cannot come. */
  private fail(error: Error): void {
    const { cell } = this.running ?? {};
    if (!cell || error instanceof KernelInterrupt) return;
    runAs(cell, () => cell.interrupt());
    this.finish(cell, { status: "error", ...errorReport(error) });
  }

  /** @param upTo key of the last cell that is meant; a later one has begun since */
  private interrupt(upTo = Infinity): void {
    resetContext()?.interrupt();
    const cell = this.running && this.running.cell.key <= upTo ? this.running.cell : undefined;
    if (cell) runAs(cell, () => cell.interrupt());
    if (cell) this.finish(cell, { status: "error", ...errorReport(new KernelInterrupt()) });
    // answered when what the interrupt has set going is done: a `finally` of the cell may loop in its turn
    nodeSetImmediate(() => {
      Atomics.store(cellRuns, 1, 0);
      this.post({ type: "interrupted" });
    });
  }

  /**
   * An error that nobody awaits, or one thrown in a timer: it is told at the cell that started it, and the kernel lives
   * on.
   */
  private stray(title: string, error: unknown, cell = this.latest): void {
    if (error instanceof KernelInterrupt) return;
    this.post({ type: "stream", key: cell?.key ?? 0, name: "stderr",
      text: `${title}${cell?.number ? ` in cell [${cell.number}]` : ""}: ${
        errorReport(error).traceback.join("\n")
      }\n` });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && (typeof value === "object" || typeof value === "function")
    && typeof (value as PromiseLike<unknown>).then === "function";
}
