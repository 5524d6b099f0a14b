import type { Compilation, ErrorReport, Outcome, RunRequest } from "../threads.js";
import type { Header, Message } from "../wire.js";
import type { History } from "./history.js";
import { checkedContent } from "./request-fields.js";

/** What `Executions` needs of the rest of the kernel. */
export interface ExecutionLinks {
  compile(code: string, number: number): Promise<Compilation>;
  compileExpression(code: string): Promise<Compilation>;
  run(request: RunRequest): void;
  evaluate(key: number, compiled: RunRequest["compiled"]): void;
  publish(type: string, parent: Header, content: Record<string, unknown>, metadata?: Record<string, unknown>): void;
  reply(request: Message, content: Record<string, unknown>): void;
  history: History;
}

interface Execution {
  key: number;
  request: Message;
  silent: boolean;
  interrupted: boolean;
  /** ends the wait for the type check */
  stop?(): void;
  /** settles what the runner was last asked for */
  settle?(outcome: Outcome): void;
}

/** Requests that arrived together with a failing one may still be on the wire when it fails. */
const ABORT_GRACE_MS = 10;

export const INTERRUPTED: ErrorReport = { ename: "KernelInterrupt", evalue: "the cell was interrupted",
  traceback: ["\u001b[31mKernelInterrupt\u001b[39m: the cell was interrupted"] };

/** Runs cells one after the other, as the front ends asked for them. */
export class Executions {
  private readonly queue: Message[] = [];
  private readonly parents = new Map<number, { header: Header; idents: Uint8Array[]; silent: boolean }>();
  private running?: Execution;
  private working = false;
  private count = 0;
  private lastKey = 0;

  constructor(private readonly links: ExecutionLinks) {}

  add(request: Message): void {
    this.queue.push(request);
    void this.work();
  }

  /** Key of the running cell, or the one before. */
  get latest(): number {
    return this.lastKey;
  }

  /** The cell that some output came from; output of nobody belongs to the latest cell. */
  origin(key: number): { header: Header; idents: Uint8Array[]; silent: boolean } | undefined {
    return this.parents.get(key) ?? this.parents.get(this.lastKey);
  }

  /** The runner has finished what it was asked for. */
  settled(key: number, outcome: Outcome): void {
    if (this.running?.key === key) this.running.settle?.(outcome);
  }

  /** A cell that is still being checked ends here and will not start. */
  interrupt(): void {
    if (!this.running) return;
    this.running.interrupted = true;
    this.running.stop?.();
  }

  get runningKey(): number | undefined {
    return this.running?.key;
  }

  get runningHeader(): Header | undefined {
    return this.running?.request.header;
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (let request = this.queue.shift(); request; request = this.queue.shift()) {
      let aborted: Message[] = [];
      this.links.publish("status", request.header, { execution_state: "busy" });
      const stopQueue = async () => {
        await new Promise((resolve) => setTimeout(resolve, ABORT_GRACE_MS));
        aborted = this.queue.splice(0);
      };
      await this.execute(request, stopQueue).catch(({ name, message }: Error) => {
        this.running = undefined;
        const error = { ename: name, evalue: message, traceback: [`${name}: ${message}`] };
        this.links.reply(request, { status: "error", execution_count: this.count, ...error });
      });
      this.links.publish("status", request.header, { execution_state: "idle" });
      for (const later of aborted) this.abort(later);
    }
    this.working = false;
  }

  private abort(request: Message): void {
    this.links.publish("status", request.header, { execution_state: "busy" });
    this.links.reply(request, { status: "aborted", execution_count: this.count });
    this.links.publish("status", request.header, { execution_state: "idle" });
  }

  private async execute(request: Message, stopQueue: () => Promise<void>): Promise<void> {
    const { code = "", silent = false, store_history = !silent, stop_on_error = true, user_expressions = {},
      allow_stdin = false } = checkedContent("execute_request", request.content);
    const stored = store_history && !silent;
    const number = stored ? ++this.count : this.count;
    if (stored) this.links.history.add(number, code);
    const execution: Execution = (this.running = { key: ++this.lastKey, request, silent, interrupted: false });
    this.parents.set(execution.key, { header: request.header, idents: request.idents, silent });
    if (!silent) this.links.publish("execute_input", request.header, { code, execution_count: number });

    const outcome = await this.outcome(execution, code, number, allow_stdin);
    if (outcome.status === "error") {
      const { ename, evalue, traceback } = outcome;
      if (!silent) this.links.publish("error", request.header, { ename, evalue, traceback });
      this.running = undefined;
      if (stop_on_error) await stopQueue();
      return this.links.reply(request, { status: "error", execution_count: number, ename, evalue, traceback,
        user_expressions: {}, payload: [] });
    }
    if (outcome.value && !silent)
      this.links.publish("execute_result", request.header, { ...outcome.value, execution_count: number });
    const answers: Record<string, unknown> = {};
    for (const [name, expression] of Object.entries(user_expressions))
      answers[name] = await this.evaluate(execution, String(expression));
    this.running = undefined;
    this.links.reply(request, { status: "ok", execution_count: number, user_expressions: answers, payload: [] });
  }

  private async outcome(execution: Execution, code: string, number: number, allowInput: boolean): Promise<Outcome> {
    if (!code.trim()) return { status: "ok" };
    const stopped = new Promise<undefined>((resolve) => (execution.stop = () => resolve(undefined)));
    const compilation = await Promise.race([this.links.compile(code, number), stopped]);
    if (!compilation || execution.interrupted) return { status: "error", ...INTERRUPTED };
    if (!compilation.ok) return { status: "error", ...compilation.error };
    if (compilation.note)
      this.links.publish("stream", execution.request.header, { name: "stderr", text: `${compilation.note}\n` });
    return new Promise((settle) => {
      execution.settle = settle;
      this.links.run({ key: execution.key, number, source: code, compiled: compilation.cell, allowInput });
    });
  }

  private async evaluate(execution: Execution, expression: string): Promise<Record<string, unknown>> {
    const compilation = await this.links.compileExpression(expression);
    if (!compilation.ok) return { status: "error", ...compilation.error };
    const outcome = await new Promise<Outcome>((settle) => {
      execution.settle = settle;
      this.links.evaluate(execution.key, compilation.cell);
    });
    return outcome.status === "error"
      ? { ...outcome }
      : { status: "ok", data: outcome.value?.data ?? {}, metadata: outcome.value?.metadata ?? {} };
  }
}
