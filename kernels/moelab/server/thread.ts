// The server thread: everything that a front end sees of the kernel. It runs no line of a cell, so heartbeat,
// kernel_info,
// completion, interrupt and shutdown answer while a cell computes or blocks.
import { parentPort, workerData } from "node:worker_threads";
import { type TakenDescriptors, tellTerminal } from "../native-output.js";
import { remote } from "../rpc.js";
import type { LanguageService, ToRunner, ToServer } from "../threads.js";
import { type Connection, type Header, type Message, Wire } from "../wire.js";
import { Children } from "./children.js";
import { codePointOffset, utf16Offset } from "./code-points.js";
import { Comms } from "./comms.js";
import { Executions } from "./executions.js";
import { History } from "./history.js";
import { kernelInfo } from "./kernel-info.js";
import { startLanguage } from "./language-process.js";
import { NativeStreams } from "./native-streams.js";
import { Publisher } from "./publisher.js";
import { checkedContent } from "./request-fields.js";
import { bindSockets, type RequestChannel } from "./sockets.js";
import { Stopper } from "./stopper.js";

export interface ServerData extends TakenDescriptors {
  connection: Connection;
  /** folder of the built kernel */
  kernel: string;
  /** the notebook's */
  folder: string;
  home: string;
  version: string;
  typescriptVersion: string;
  /** 1 while code of a cell runs in the main thread */
  cellRuns: Int32Array;
}

/** After a shutdown reply the process has this long to end by itself. */
const EXIT_GRACE_MS = 250;
const MAX_MATCHES = 1000;

const { connection, kernel, folder, home, version, typescriptVersion, cellRuns, terminal, readers } =
  workerData as ServerData;
const runner = parentPort!;
const toRunner = (message: ToRunner) => runner.postMessage(message);
const language = remote<LanguageService>(startLanguage(kernel, { folder, home }, terminal));
const wire = new Wire(connection.key);
const sockets = await bindSockets(connection, wire, (channel, message) => {
  receive(channel, message).catch((error: Error) =>
    tellTerminal(terminal, `kernel: a message of type ${message.header.msg_type} was dropped: ${error.message}\n`)
  );
}, () => void tellState());
const publisher = new Publisher(wire, sockets);
const history = new History();
const info = kernelInfo(version, typescriptVersion);

const reply = (channel: RequestChannel, request: Message, content: Record<string, unknown>) => {
  publisher.flush();
  return sockets.send(channel, { idents: request.idents,
    header: wire.header(request.header.msg_type.replace("_request", "_reply")), parent: request.header, content });
};
const comms = new Comms({
  toRunner: (kind, content) => toRunner({ type: "comm", kind, content }),
  publish: (type, parent, content) => void publisher.publish(type, parent, content),
});
const executions = new Executions({
  compile(code, number) {
    prefetch(code);
    return language.compile(code, number);
  },
  compileExpression: (code) => language.compileExpression(code),
  run(request) {
    void language.start();
    toRunner({ type: "run", request });
  },
  evaluate: (key, compiled) => toRunner({ type: "evaluate", key, compiled }),
  publish: (type, parent, content, metadata) => void publisher.publish(type, parent, content, metadata),
  reply: (request, content) => void reply("shell", request, content),
  history,
});
const native = new NativeStreams({ terminal, readers }, () => executions.latest,
  (key, name, text) => stream(key, name, text));
const children = new Children();
/** key of the latest cell when the stop button was pressed: one that began since is not meant */
let stopping = -1;
const stopper = new Stopper({
  inCell: () => Atomics.load(cellRuns, 0) === 1,
  ask() {
    Atomics.store(cellRuns, 1, 1);
    toRunner({ type: "interrupt", upTo: stopping });
  },
  signal(signal, options) {
    if (executions.runningKey !== undefined && executions.runningKey <= stopping)
      children.signal(executions.runningKey, signal, options);
  },
  notice() {
    const parent = executions.runningHeader;
    if (parent && !children.someSynchronous)
      publisher.stream("stderr",
        "interrupt: the cell is inside a native call that cannot be stopped from outside; it ends when the "
          + "call returns. Restart the kernel to end it now.\n", parent);
  },
});

let prefetched = false;

/** Loading moelab takes as long as checking the cell that imports it: both are done at once. */
function prefetch(code: string): void {
  if (prefetched || !/\bfrom\s*["']moelab["']/.test(code)) return;
  prefetched = true;
  toRunner({ type: "prefetch", specifier: "moelab" });
}

const failure = ({ name, message }: Error) => ({ status: "error", ename: name, evalue: message, traceback: [] });

type Answer = Record<string, unknown> | Promise<Record<string, unknown>>;

/** Requests that are answered at once, whatever the runner does; a map, for a type may be called `valueOf`. */
const answers = new Map<string, (content: Message["content"]) => Answer>(Object.entries({
  kernel_info_request: () => info,
  comm_info_request: ({ target_name }: Message["content"]) => ({ status: "ok", ...comms.info(target_name) }),
  history_request: (content: Message["content"]) => ({ status: "ok", ...history.find(content) }),
  async is_complete_request({ code = "" }: Message["content"]) {
    return { ...(await language.isComplete(code)) };
  },
  async complete_request({ code = "", cursor_pos = Infinity }: Message["content"]) {
    const result = await language.complete(code, utf16Offset(code, cursor_pos));
    const [start, end] = [codePointOffset(code, result.start), codePointOffset(code, result.end)];
    const matches = result.matches.slice(0, MAX_MATCHES);
    return {
      status: "ok",
      matches: matches.map(({ text }) => text),
      cursor_start: start,
      cursor_end: end,
      metadata: { _jupyter_types_experimental: matches.map(({ text, kind }) => ({ text, type: kind, start, end })) },
    };
  },
  async inspect_request({ code = "", cursor_pos = Infinity, detail_level = 0 }: Message["content"]) {
    const found = await language.inspect(code, utf16Offset(code, cursor_pos), detail_level);
    return { status: "ok", found: found !== undefined,
      data: found ? { "text/plain": found.plain, "text/markdown": found.markdown } : {}, metadata: {} };
  },
  interrupt_request() {
    stopping = executions.latest;
    stopper.stop();
    executions.interrupt();
    return { status: "ok" };
  },
  shutdown_request: ({ restart = false }: Message["content"]) => ({ status: "ok", restart }),
}));

async function receive(channel: RequestChannel, request: Message): Promise<void> {
  const type = request.header.msg_type;
  if (channel === "stdin") {
    if (type === "input_reply" && request.parent)
      toRunner({ type: "input", key: waitingForInput, value: checkedContent(type, request.content).value ?? "" });
    return;
  }
  if (type === "execute_request") return executions.add(request);
  const status = (execution_state: string) => publisher.publish("status", request.header, { execution_state });
  void status("busy");
  const answer = answers.get(type);
  const comm = /^comm_(open|msg|close)$/.exec(type)?.[1];
  try {
    if (comm) comms.fromFrontEnd(comm as "open", { ...request, content: checkedContent(type, request.content) });
    else if (answer) {
      const asked = new Promise<Record<string, unknown>>((resolve) =>
        resolve(answer(checkedContent(type, request.content)))
      );
      await reply(channel, request, await asked.catch(failure));
    }
  } finally {
    await status("idle");
  }
  if (type === "shutdown_request") await shutDown();
}

/**
 * A front end that connects again, after the kernel was killed and started anew, learns that it is there: what it asked
 * the old one is lost.
 */
function tellState(): Promise<void> {
  return publisher.publish("status", {}, { execution_state: executions.runningHeader ? "busy" : "idle" });
}

let waitingForInput = 0;

/** What the runner reports. */
runner.on("message", (message: ToServer) => {
  if (message.type === "interrupted") {
    children.forget();
    return stopper.answered();
  }
  if (message.type === "child") return children.started(message.pid, message.key);
  if (message.type === "comm-target") return comms.serve(message.name, message.served);
  if (message.type === "done" || message.type === "evaluated") {
    native.end();
    return executions.settled(message.key, message.outcome);
  }
  native.drain();
  if (message.type === "settle") return wake(message.reached);
  if (message.type === "stream") return stream(message.key, message.name, message.text);
  const origin = executions.origin(message.key);
  const parent: Partial<Header> = origin?.header ?? {};
  if (message.type === "exiting") return void announceExit(message, parent);
  if (message.type === "comm") return comms.fromCell(message.kind, parent, message.content);
  if (message.type === "input") {
    waitingForInput = message.key;
    publisher.flush();
    return void sockets.send("stdin", { idents: origin?.idents ?? [], header: wire.header("input_request"), parent,
      content: { prompt: message.prompt, password: message.password } });
  }
  if (origin?.silent) return;
  if (message.type === "clear") return void publisher.publish("clear_output", parent, { wait: message.wait });
  const type = message.update ? "update_display_data" : "display_data";
  void publisher.publish(type, parent, { ...message.bundle,
    transient: message.id === undefined ? {} : { display_id: message.id } });
});

/** Text of a cell. */
function stream(key: number, name: string, text: string): void {
  const origin = executions.origin(key);
  if (!origin?.silent) publisher.stream(name, text, origin?.header ?? {});
}

/** A cell called process.exit: front ends only see a dead kernel, so the reason is said before it dies. */
async function announceExit(
  { code, flushed }: Extract<ToServer, { type: "exiting" }>,
  parent: Partial<Header>,
): Promise<void> {
  const text = `kernel: a cell called process.exit(${code}), so the kernel ends and its variables are lost\n`;
  tellTerminal(terminal, text);
  await publisher.publish("stream", parent, { name: "stderr", text });
  await new Promise((resolve) => setTimeout(resolve, 30));
  await sockets.close();
  await new Promise((resolve) => setTimeout(resolve, 30));
  wake(new Int32Array(flushed));
}

/** Lets the runner go on, which waits for this. */
function wake(waiting: Int32Array): void {
  Atomics.store(waiting, 0, 1);
  Atomics.notify(waiting, 0);
}

/** The main thread ends the process; if it sits in a loop, this one does. */
async function shutDown(): Promise<void> {
  children.end();
  setTimeout(() => process.kill(process.pid, "SIGKILL"), EXIT_GRACE_MS);
  await new Promise((resolve) => setTimeout(resolve, 20)); // the reply leaves
  await sockets.close();
  toRunner({ type: "exit" });
}

// a front end that died leaves nobody who would stop this kernel
if (process.env.JPY_PARENT_PID && process.platform !== "win32") {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent) return;
    children.end();
    process.kill(process.pid, "SIGKILL");
  }, 1000).unref();
}
void publisher.publish("status", {}, { execution_state: "starting" });
