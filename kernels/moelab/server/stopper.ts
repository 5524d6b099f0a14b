import { Session } from "node:inspector";

const FIRST_MS = 150;
const AGAIN_MS = 300;
const NOTICE_MS = 900;
const TERM_MS = 2000;
const KILL_MS = 4000;

/** How `Stopper` reaches the runner thread and the user. */
export interface StopperLinks {
  /** asks the runner's event loop */
  ask(): void;
  /** whether code of a cell runs: the kernel's own, slow on a busy machine, is never torn down */
  inCell(): boolean;
  /** sends a signal to the cell's child processes; `synchronous`: to those that it waits for in a call */
  signal(signal: NodeJS.Signals, options?: { synchronous: boolean }): void;
  /** the runner sits in a call that V8 cannot stop */
  notice(): void;
}

/**
 * Stops what the runner thread is doing.
 * Its event loop is asked first: that ends anything that awaits. A thread that does not answer is in a loop, so V8 is
 * told
 * to terminate it; that empties the thread's call stack and its microtask queue, whereupon it answers.
 * Native code cannot be terminated: V8 obeys when the call returns, and until then the user is told.
 * Child processes get SIGINT; one for which the runner waits, and which does not end of it, SIGTERM and SIGKILL.
 */
export class Stopper {
  private timer?: NodeJS.Timeout;
  private inspector?: Session;

  constructor(private readonly links: StopperLinks) {}

  /** Harmless when nothing runs, and when called twice. */
  stop(): void {
    if (this.timer) return;
    this.links.ask();
    this.links.signal("SIGINT");
    const started = Date.now();
    let told = false;
    const insist = () => {
      this.links.signal("SIGINT");
      if (Date.now() - started >= TERM_MS) this.links.signal("SIGTERM", { synchronous: true });
      if (Date.now() - started >= KILL_MS) this.links.signal("SIGKILL", { synchronous: true });
      if (this.links.inCell()) this.terminate();
      this.links.ask();
      if (!told && Date.now() - started >= NOTICE_MS) {
        told = true;
        this.links.notice();
      }
      this.timer = setTimeout(insist, AGAIN_MS);
    };
    this.timer = setTimeout(insist, FIRST_MS);
  }

  /** The runner has answered. */
  answered(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.inspector?.disconnect();
    this.inspector = undefined;
  }

  private terminate(): void {
    if (!this.inspector) {
      this.inspector = new Session();
      this.inspector.connectToMainThread();
    }
    this.inspector.post("Runtime.terminateExecution");
  }
}
