import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collectOutputs } from "../../kernels/headless/collect-outputs.js";
import { type ExecuteOptions, KernelClient } from "../../kernels/headless/kernel-client.js";
import { moelabSpec } from "../../kernels/headless/kernel-spec.js";
import type { Output } from "../../kernels/headless/notebook.js";
import type { Message } from "../../kernels/moelab/wire.js";

export interface Ran {
  status: string;
  content: Record<string, any>;
  messages: Message[];
  outputs: Output[];
  /** text/plain of the cell's value, "" without one */
  value: string;
  stdout: string;
  stderr: string;
}

/** A running kernel in a folder of its own. Messages that come late are added to what `run` has returned. */
export class Session {
  private constructor(readonly kernel: KernelClient, readonly folder: string) {}

  /** @param files put into the folder before the start */
  static async start(files: Record<string, string> = {}, name = "moelab-test-"): Promise<Session> {
    const folder = mkdtempSync(join(tmpdir(), name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    return new Session(await KernelClient.start(moelabSpec(), folder), folder);
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  async run(code: string, options: ExecuteOptions = {}): Promise<Ran> {
    const ran = this.send(code, options);
    await ran.done;
    return ran;
  }

  /** Starts a cell without waiting for it. */
  send(code: string, options: ExecuteOptions = {}): Ran & { done: Promise<void> } {
    const messages: Message[] = [];
    const outputs: Output[] = [];
    const collect = collectOutputs(outputs, new Map());
    const { reply, idle } = this.kernel.execute(code, { ...options, onOutput: (message) => {
      messages.push(message);
      collect(message);
    } });
    const text = (name: string) =>
      outputs.filter((output) => output.name === name).flatMap((output) => output.text).join("");
    const ran: Ran & { done: Promise<void> } = {
      status: "",
      content: {},
      messages,
      outputs,
      get value() {
        return outputs.find((output) => output.output_type === "execute_result")?.data["text/plain"]?.join("") ?? "";
      },
      get stdout() {
        return text("stdout");
      },
      get stderr() {
        return text("stderr");
      },
      done: Promise.all([reply, idle]).then(([{ content }]) => {
        ran.content = content;
        ran.status = content.status;
      }),
    };
    ran.done.catch(() => {}); // a kernel that dies is told to whoever awaits
    return ran;
  }

  /** Asks something that is not code, such as `complete_request`. */
  async ask(type: string, content: Record<string, unknown>): Promise<Record<string, any>> {
    return (await this.kernel.request("shell", type, content).reply).content;
  }

  async stop(): Promise<void> {
    await this.kernel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something is so; fails after a minute. */
export async function until(condition: () => boolean): Promise<void> {
  for (const started = Date.now(); !condition(); await sleep(20))
    if (Date.now() - started > 60_000) throw new Error(`not so after a minute: ${condition}`);
}
