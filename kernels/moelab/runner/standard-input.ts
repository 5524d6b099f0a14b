import { syncBuiltinESMExports } from "node:module";
import readline, { type Interface } from "node:readline";
import { Readable } from "node:stream";
import { replace } from "./replace.js";

/** Those that cells see belong to a cell, and an interrupt ends them. */
const nodeSetTimeout = setTimeout;

/** Time for code that got a line to close what it reads from, or to end. */
const SETTLE_MS = 5;

/**
 * process.stdin of cells: a line is asked of the front end when the running cell waits for one. A stream would read
 * ahead, and `readline` makes it flow before a question is put and after the answer: what waits is looked up instead.
 */
export class StandardInput {
  private stream = this.opened();
  private asking = false;
  /** the stream has nothing left and wants more */
  private empty = false;
  private readonly interfaces = new Map<Interface, { questions: number }>();

  /**
   * @param ask gets a line
   * @param isRunning whether a cell runs
   * @param fail tells that no line can be had
   */
  constructor(
    private readonly ask: () => Promise<string>,
    private readonly isRunning: () => boolean,
    private readonly fail: (error: Error) => void,
  ) {}

  install(): void {
    Object.defineProperty(process, "stdin", { configurable: true, get: () => this.current() });
    for (const holder of [readline, readline.promises]) {
      const create = holder.createInterface as (...args: any[]) => Interface;
      replace(holder, "createInterface", (...args: any[]) => {
        const made = create(...args);
        if ((made as unknown as { input: unknown }).input === this.stream) this.watch(made);
        return made;
      });
    }
    syncBuiltinESMExports(); // for import { createInterface } from "node:readline"
  }

  /** One that a loop has left, or an error has ended, is followed by a new one. */
  private current(): Readable {
    if (this.stream.destroyed || this.stream.readableEnded) this.stream = this.opened();
    return this.stream;
  }

  private opened(): Readable {
    const stream = new Readable({ encoding: "utf8", read: () => {
      this.empty = true;
      this.look();
    } });
    this.empty = false;
    stream.on("newListener", () => this.look());
    return stream;
  }

  private watch(made: Interface): void {
    const state = { questions: 0 };
    this.interfaces.set(made, state);
    made.once("close", () => this.interfaces.delete(made));
    made.on("newListener", () => this.look());
    type Question = (query: string, ...rest: any[]) => Promise<string> | void;
    replace(made, "question", (query: string, ...rest: any[]) => {
      const answered = () => void state.questions--;
      state.questions++;
      this.look();
      const question = Object.getPrototypeOf(made).question as Question;
      const callback = rest.at(-1);
      if (typeof callback === "function") rest[rest.length - 1] = (line: string) => (answered(), callback(line));
      const answer = question.call(made, query, ...rest);
      if (answer) answer.then(answered, answered);
      return answer;
    });
  }

  /** Asks for a line, soon, if somebody waits for one by then. */
  private look(): void {
    nodeSetTimeout(() => {
      const { stream } = this;
      if (this.asking || !this.waits()) return;
      this.asking = true;
      this.ask().then((line) => {
        this.asking = this.empty = false;
        stream.push(`${line}\n`);
      }, (error: Error) => {
        this.asking = false;
        stream.destroy();
        this.fail(error);
      });
    }, SETTLE_MS);
  }

  private waits(): boolean {
    const { stream, interfaces } = this;
    if (!this.empty || stream.destroyed || !this.isRunning()) return false;
    if (stream.listenerCount("readable") > 0) return true; // such a reader takes it from a stream that does not flow
    if (stream.isPaused()) return false;
    for (const [each, { questions }] of interfaces) if (questions > 0 || each.listenerCount("line") > 0) return true;
    return stream.listenerCount("data") > interfaces.size;
  }
}
