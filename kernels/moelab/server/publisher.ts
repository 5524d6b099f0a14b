import type { Header, Wire } from "../wire.js";
import type { Sockets } from "./sockets.js";

const FLUSH_MS = 30;
const FLUSH_CHARS = 32_768;

/**
 * Sends what a front end shows. Stream text is gathered for some milliseconds into one message,
 * and leaves before anything else does, so that the order of a cell's outputs is kept.
 */
export class Publisher {
  private pending?: { parent: Partial<Header>; name: string; text: string };
  private timer?: NodeJS.Timeout;

  constructor(private readonly wire: Wire, private readonly sockets: Sockets) {}

  publish(
    type: string,
    parent: Partial<Header>,
    content: Record<string, unknown>,
    metadata: Record<string, unknown> = {},
  ): Promise<void> {
    this.flush();
    return this.send(type, parent, content, metadata);
  }

  stream(name: string, text: string, parent: Partial<Header>): void {
    if (this.pending && (this.pending.name !== name || this.pending.parent !== parent)) this.flush();
    this.pending ??= { parent, name, text: "" };
    this.pending.text += text;
    if (this.pending.text.length >= FLUSH_CHARS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { pending } = this;
    this.pending = undefined;
    if (pending) void this.send("stream", pending.parent, { name: pending.name, text: pending.text });
  }

  private send(
    type: string,
    parent: Partial<Header>,
    content: Record<string, unknown>,
    metadata: Record<string, unknown> = {},
  ): Promise<void> {
    return this.sockets.send("iopub", { header: this.wire.header(type), parent, content, metadata });
  }
}
