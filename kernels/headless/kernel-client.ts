import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";
import { MoeError } from "../../sdk/errors.js";
import { type Connection, type Message, Wire } from "../moelab/wire.js";
import type { KernelSpec } from "./kernel-spec.js";

export interface ExecuteOptions {
  /** every message on iopub that belongs to the request, in order */
  onOutput?(message: Message): void;
  silent?: boolean;
  storeHistory?: boolean;
  stopOnError?: boolean;
  userExpressions?: Record<string, string>;
  /** answers `input()`; without it the kernel is told that there is no input */
  answer?(prompt: string): string | Promise<string>;
}

export interface Pending {
  id: string;
  /** the reply; rejects when the kernel dies */
  reply: Promise<Message>;
  /** resolves when the kernel is idle again after the request */
  idle: Promise<void>;
}

type Channel = "shell" | "control";

/** Starts a kernel from its spec and speaks the Jupyter protocol with it, as a front end does. */
export class KernelClient {
  info: Record<string, any> = {};
  /** how the process ended, once it has */
  ended?: string;
  readonly connection: Connection;
  private readonly wire: Wire;
  private readonly connectionFile: string;
  private readonly process: ChildProcess;
  private readonly exited: Promise<void>;
  private readonly sockets: { shell: Dealer; control: Dealer; stdin: Dealer; iopub: Subscriber };
  private readonly replies = new Map<string, { resolve(message: Message): void; reject(error: Error): void }>();
  private readonly watchers = new Map<string, (message: Message) => void>();
  private readonly answers = new Map<string, (prompt: string) => string | Promise<string>>();
  private closing = false;

  private constructor(readonly spec: KernelSpec, folder: string, connection: Connection) {
    this.connection = connection;
    this.wire = new Wire(connection.key);
    this.connectionFile = join(tmpdir(), `kernel-${randomUUID()}.json`);
    writeFileSync(this.connectionFile,
      JSON.stringify({ ...connection, signature_scheme: "hmac-sha256", kernel_name: "" }), { mode: 0o600 });
    const [command, ...argv] = spec.argv.map((part) => part.replaceAll("{connection_file}", this.connectionFile));
    // in a process group of its own: Ctrl-C in a terminal is for us, we then interrupt the kernel
    this.process = spawn(command!, argv, { cwd: folder,
      env: { ...process.env, JPY_PARENT_PID: String(process.pid), ...spec.env }, stdio: ["ignore", "ignore", "inherit"],
      detached: process.platform !== "win32" });
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        this.ended ??= how;
        for (const { reject } of this.replies.values()) reject(this.death());
        resolve();
      };
      this.process.on("error", (error) => end(`it did not start (${error.message})`));
      this.process.on("exit", (code, signal) => end(`its process ended with ${signal ?? `code ${code}`}`));
    });
    const routing = { routingId: this.wire.session, linger: 0, reconnectInterval: 20 };
    this.sockets = { shell: new Dealer(routing), control: new Dealer(routing), stdin: new Dealer(routing),
      iopub: new Subscriber({ linger: 0, reconnectInterval: 20 }) };
    this.sockets.iopub.subscribe("");
    for (const name of ["shell", "control", "stdin", "iopub"] as const) {
      this.sockets[name].connect(`tcp://127.0.0.1:${connection[`${name}_port`]}`);
      void this.listen(name);
    }
  }

  /**
   * Starts a kernel and waits until it answers and its messages arrive. One that ends before it answers is started
   * again
   * on other ports, twice at most: a port may be taken in between, and tslab ends where a request comes while it still
   * binds.
   * @param folder its working directory: the notebook's folder
   */
  static async start(spec: KernelSpec, folder: string, timeoutMs = 60_000): Promise<KernelClient> {
    const deadline = Date.now() + timeoutMs;
    for (let attempt = 0;; attempt++) {
      const client = await KernelClient.launch(spec, folder);
      if (await client.isReady(deadline)) return client;
      const { ended } = client;
      await client.stop();
      if (ended?.startsWith("its process ended") && attempt < 2 && Date.now() < deadline) continue;
      throw new MoeError("kernel-not-ready",
        `kernel: ${ended ?? `"${spec.display_name}" did not answer in ${timeoutMs / 1000} s`}; accepted is a `
          + `kernel that answers kernel_info. Command: ${spec.argv.join(" ")}`);
    }
  }

  private static async launch(spec: KernelSpec, folder: string): Promise<KernelClient> {
    const [shell_port, iopub_port, stdin_port, control_port, hb_port] = (await freePorts(5)) as [number, number, number,
      number, number];
    return new KernelClient(spec, folder, { transport: "tcp", ip: "127.0.0.1", key: randomBytes(16).toString("hex"),
      shell_port, iopub_port, stdin_port, control_port, hb_port });
  }

  /** Asks for kernel_info until it is answered and heard; false when the process ended or time is over. */
  private async isReady(deadline: number): Promise<boolean> {
    while (!this.ended && Date.now() <= deadline) {
      const { reply, idle } = this.request("shell", "kernel_info_request", {});
      const answer = await Promise.race([reply.catch(() => undefined), this.exited, sleep(deadline - Date.now())]);
      // messages published before the subscription arrived are lost: ready is when a request's idle status was seen
      const heard = answer && (await Promise.race([idle.then(() => true), sleep(50)]));
      if (!answer || !heard || this.ended) continue;
      this.info = answer.content;
      return true;
    }
    return false;
  }

  request(
    channel: Channel,
    type: string,
    content: Record<string, unknown>,
    onOutput?: (message: Message) => void,
  ): Pending {
    const header = this.wire.header(type);
    let idleNow = () => {};
    const idle = new Promise<void>((resolve) => (idleNow = resolve));
    this.watchers.set(header.msg_id, (message) => {
      onOutput?.(message);
      if (message.header.msg_type === "status" && message.content.execution_state === "idle") idleNow();
    });
    const reply = new Promise<Message>((resolve, reject) => this.replies.set(header.msg_id, { resolve, reject }));
    reply.catch(() => {});
    if (this.ended) this.replies.get(header.msg_id)!.reject(this.death());
    else void this.send(channel, { header, content });
    return { id: header.msg_id, reply, idle: Promise.race([idle, this.exited]) };
  }

  private death(): MoeError {
    return new MoeError("kernel-died",
      `kernel: ${this.ended} while it was asked for something; accepted is a kernel that keeps running. `
        + "See its messages above.");
  }

  /** Runs code; several calls in a row are queued by the kernel. */
  execute(
    code: string,
    { onOutput, silent = false, storeHistory = !silent, stopOnError = true, userExpressions = {}, answer }:
      ExecuteOptions = {},
  ): Pending {
    const content = { code, silent, store_history: storeHistory, user_expressions: userExpressions,
      allow_stdin: answer !== undefined, stop_on_error: stopOnError };
    const pending = this.request("shell", "execute_request", content, onOutput);
    if (answer) this.answers.set(pending.id, answer);
    return pending;
  }

  async interrupt(): Promise<void> {
    if (this.spec.interrupt_mode === "message") await this.request("control", "interrupt_request", {}).reply;
    else this.process.kill("SIGINT");
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Sends frames as they are, for tests of what a kernel must refuse. */
  async sendRaw(channel: Channel, frames: Uint8Array[]): Promise<void> {
    await this.sockets[channel].send(frames as Buffer[]);
  }

  /** Asks the kernel to end, and ends it if it does not. */
  async stop(): Promise<void> {
    if (!this.ended) {
      await Promise.race([this.request("control", "shutdown_request", { restart: false }).reply.catch(() => {}),
        this.exited, sleep(1500)]);
      await Promise.race([this.exited, sleep(3000)]);
      if (!this.ended) this.process.kill("SIGKILL");
    }
    this.closing = true;
    for (const socket of Object.values(this.sockets)) socket.close();
    rmSync(this.connectionFile, { force: true });
  }

  private readonly sending: Partial<Record<string, Promise<void>>> = {};

  private send(channel: Channel | "stdin", message: Parameters<Wire["pack"]>[0]): Promise<void> {
    const sent = (this.sending[channel] ?? Promise.resolve()).then(() =>
      this.sockets[channel].send(this.wire.pack(message) as Buffer[])
    ).catch(() => {});
    this.sending[channel] = sent;
    return sent;
  }

  private async listen(name: Channel | "stdin" | "iopub"): Promise<void> {
    try {
      for await (const frames of this.sockets[name]) {
        const message = this.wire.unpack(frames);
        const parent = message?.parent.msg_id;
        if (!message || !parent) continue;
        if (name === "iopub") this.watchers.get(parent)?.(message);
        else if (name === "stdin") {
          // not awaited here: other messages of the channel go on
          void Promise.resolve(this.answers.get(parent)?.(String(message.content.prompt)) ?? "").then((value) =>
            this.send("stdin", { header: this.wire.header("input_reply"), parent: message.header,
              content: { status: "ok", value } })
          );
        } else {
          this.replies.get(parent)?.resolve(message);
          this.replies.delete(parent);
        }
      }
    } catch (error) {
      if (!this.closing) throw error;
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () =>
    new Promise<Server>((resolve) => {
      const server: Server = createServer().listen(0, "127.0.0.1", () => resolve(server));
    })));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

function sleep(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}
