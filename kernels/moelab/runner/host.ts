import { randomUUID } from "node:crypto";
import { asBundle } from "../../../sdk/view/bundle.js";
import type { Bundle, ToServer } from "../threads.js";
import { bundleOf, toJson } from "./bundle.js";
import { type Cell, KernelInterrupt } from "./cell.js";
import { currentCell, runAs } from "./context.js";

interface DisplayOptions {
  id?: string;
  update?: boolean;
}

type CommHandler = (content: Record<string, any>) => void;

/** What a display has shown; `update` shows something else in its place. It draws nothing itself. */
class DisplayHandle {
  constructor(readonly id: string, private readonly show: (value: unknown, options: DisplayOptions) => Promise<void>) {}

  update(value: unknown): Promise<void> {
    return this.show(value, { id: this.id, update: true });
  }

  [Symbol.for("Jupyter.display")]() {
    return { data: {} };
  }
}

/**
 * What code in the kernel's process can ask of the front end:
 * the host at `globalThis[Symbol.for("moelab.kernel")]`, and the globals `display` and `input` for cells.
 */
export class Host {
  private readonly inputs = new Map<number, { resolve(value: string): void; reject(error: Error): void }>();
  private readonly targets = new Map<string, { cell?: Cell; handler: CommHandler }>();

  /** @param owner the cell whose code is running, or the latest */
  constructor(private readonly owner: () => Cell | undefined, private readonly post: (message: ToServer) => void) {}

  /** Shows a bundle as it is, with its metadata or (as Deno has it) without. */
  display(made: object, { id, update = false }: DisplayOptions = {}): void {
    const { data, metadata = {} } = asBundle(made);
    const checked: Bundle = { data: toJson(data), metadata };
    if (Object.keys(checked.data).length > 0)
      this.post({ type: "display", key: this.owner()?.key ?? 0, bundle: checked, id, update });
  }

  /** Aborts when the running cell is interrupted. */
  get signal(): AbortSignal {
    return (currentCell() ?? this.owner())?.controller.signal ?? new AbortController().signal;
  }

  /** Asks the user for a line of text. */
  input(prompt = "", { password = false } = {}): Promise<string> {
    const cell = this.owner();
    if (!cell?.allowInput)
      return Promise.reject(
        new Error(
          "input: this front end takes no input; accepted are front ends with allow_stdin, such as JupyterLab. "
            + "Set the value in the cell.",
        ),
      );
    return new Promise((resolve, reject) => {
      this.inputs.set(cell.key, { resolve, reject });
      cell.controller.signal.addEventListener("abort", () => reject(new KernelInterrupt()), { once: true });
      this.post({ type: "input", key: cell.key, prompt: String(prompt), password });
    });
  }

  /** Serves comms that a front end opens for a target. */
  registerCommTarget(name: string, handler: CommHandler): void {
    this.targets.set(name, { cell: this.owner(), handler });
    this.post({ type: "comm-target", name, served: true });
  }

  /** Sends to a comm that a front end or this kernel has opened. */
  comm(kind: "open" | "msg" | "close", content: Record<string, any>): void {
    this.post({ type: "comm", key: this.owner()?.key ?? 0, kind, content });
  }

  answerInput(key: number, value: string): void {
    this.inputs.get(key)?.resolve(value);
    this.inputs.delete(key);
  }

  receiveComm(kind: string, content: Record<string, any>): void {
    const target = kind === "open" ? String(content.target_name) : this.openComms.get(String(content.comm_id));
    if (target === undefined) return;
    if (kind === "open") this.openComms.set(String(content.comm_id), target);
    if (kind === "close") this.openComms.delete(String(content.comm_id));
    const { cell, handler } = this.targets.get(target) ?? {};
    if (cell) runAs(cell, () => handler!({ kind, ...content }));
  }

  private readonly openComms = new Map<string, string>();

  /** Puts `display`, `input` and process.exit in place. */
  install(): void {
    const show = async (value: unknown, options: DisplayOptions) => {
      const bundle = await bundleOf(value);
      if (bundle) this.display(bundle, options);
    };
    const display = async (value: unknown, { id = randomUUID() }: { id?: string } = {}) => {
      await show(value, { id });
      return new DisplayHandle(id, show);
    };
    display.update = (id: string, value: unknown) => show(value, { id, update: true });
    display.clear = ({ wait = false } = {}) => this.post({ type: "clear", key: this.owner()?.key ?? 0, wait });
    Object.assign(globalThis, {
      [Symbol.for("moelab.kernel")]: this,
      display,
      input: (prompt?: string, options?: { password?: boolean }) => this.input(prompt, options),
    });
    const exit = process.exit;
    process.exit = ((code: number = 0) => {
      const flushed = new SharedArrayBuffer(4);
      this.post({ type: "exiting", key: this.owner()?.key ?? 0, code: Number(code), flushed });
      Atomics.wait(new Int32Array(flushed), 0, 0, 500);
      exit(code);
    }) as typeof process.exit;
  }
}
