import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

/** Protocol version that headers and kernel_info announce. */
export const PROTOCOL_VERSION = "5.4";

export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

export interface Message {
  /** routing frames in front of the delimiter */
  idents: Uint8Array[];
  header: Header;
  parent: Partial<Header>;
  metadata: Record<string, unknown>;
  content: Record<string, any>;
  buffers: Uint8Array[];
}

/** The connection file that a front end writes for its kernel. */
export interface Connection {
  transport: string;
  ip: string;
  key: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
}

const DELIMITER = Buffer.from("<IDS|MSG>");

/**
 * Turns Jupyter messages into signed frames and back (kernels and clients speak the same wire format).
 * An empty key means unsigned messages, as the protocol has it.
 */
export class Wire {
  constructor(private readonly key: string, readonly session: string = randomUUID()) {}

  header(type: string): Header {
    return { msg_id: randomUUID(), session: this.session, username: "moelab", date: new Date().toISOString(),
      msg_type: type, version: PROTOCOL_VERSION };
  }

  pack(message: Pick<Message, "header" | "content"> & Partial<Message>): Uint8Array[] {
    const parts = [message.header, message.parent ?? {}, message.metadata ?? {}, message.content].map((part) =>
      Buffer.from(JSON.stringify(part))
    );
    return [...(message.idents ?? []), DELIMITER, Buffer.from(this.sign(parts)), ...parts, ...(message.buffers ?? [])];
  }

  /**
   * @returns undefined for frames that are malformed or carry a wrong signature: such messages are dropped without
   *   effect
   */
  unpack(frames: Uint8Array[]): Message | undefined {
    const at = frames.findIndex((frame) => DELIMITER.equals(frame));
    if (at < 0 || frames.length < at + 6) return undefined;
    const parts = frames.slice(at + 2, at + 6);
    const [seen, expected] = [Buffer.from(frames[at + 1]!), Buffer.from(this.sign(parts))];
    if (seen.length !== expected.length || !timingSafeEqual(seen, expected)) return undefined;
    try {
      const [header, parent, metadata, content] = parts.map((part) => JSON.parse(Buffer.from(part).toString("utf8")));
      if (typeof header?.msg_type !== "string" || typeof header.msg_id !== "string" || typeof content !== "object"
        || content === null) return undefined;
      // a header goes back with every answer: a value that nests too deep for that must not come in
      for (const [name, value] of Object.entries(header)) if (typeof value === "object") delete header[name];
      return { idents: frames.slice(0, at), header, parent: parent ?? {}, metadata: metadata ?? {}, content,
        buffers: frames.slice(at + 6) };
    } catch {
      return undefined;
    }
  }

  private sign(parts: Uint8Array[]): string {
    if (!this.key) return "";
    const hmac = createHmac("sha256", this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }
}
