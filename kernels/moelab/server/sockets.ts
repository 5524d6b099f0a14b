import { Reply, Router, XPublisher } from "zeromq";
import type { Connection, Message, Wire } from "../wire.js";

/** a reader that does not end by then is left to itself */
const CLOSING_MS = 150;

export type RequestChannel = "shell" | "control" | "stdin";

/** The kernel's five sockets. Messages of one channel leave in the order in which `send` was called. */
export interface Sockets {
  send(channel: RequestChannel | "iopub", message: Parameters<Wire["pack"]>[0]): Promise<void>;
  /** Resolves when nobody reads any more: zeromq aborts a process that ends while someone does. */
  close(): Promise<void>;
}

/**
 * Binds the sockets of a connection file.
 * @param receive is handed every valid message, each once
 * @param welcome is called when a reader of iopub has arrived
 */
export async function bindSockets(
  connection: Connection,
  wire: Wire,
  receive: (channel: RequestChannel, message: Message) => void,
  welcome: () => void,
): Promise<Sockets> {
  const routers = { shell: new Router({ sendHighWaterMark: 0 }), control: new Router({ sendHighWaterMark: 0 }),
    stdin: new Router({ sendHighWaterMark: 0 }) };
  const iopub = new XPublisher({ sendHighWaterMark: 0, linger: 300, verbosity: "allSubs" });
  const heartbeat = new Reply();
  const address =
    (port:
      number) => (connection.transport === "ipc"
        ? `ipc://${connection.ip}-${port}`
        : `${connection.transport}://${connection.ip}:${port}`);
  await Promise.all([routers.shell.bind(address(connection.shell_port)),
    routers.control.bind(address(connection.control_port)), routers.stdin.bind(address(connection.stdin_port)),
    iopub.bind(address(connection.iopub_port)), heartbeat.bind(address(connection.hb_port))]);

  const seen = new SeenIds(100_000);
  const readers: Promise<void>[] = [];
  for (const channel of ["shell", "control", "stdin"] as const) {
    readers.push((async () => {
      for await (const frames of routers[channel]) {
        const message = wire.unpack(frames);
        // jupyter_client's manager and client count their ids separately in one session: only the type tells them apart
        if (message && seen.add(`${channel} ${message.header.msg_type} ${message.header.msg_id}`))
          receive(channel, message);
      }
    })().catch(ignoreClosed));
  }
  readers.push((async () => {
    for await (const beat of heartbeat) await heartbeat.send(beat);
  })().catch(ignoreClosed));
  readers.push((async () => {
    for await (const [subscription] of iopub) if (subscription?.[0] === 1) welcome();
  })().catch(ignoreClosed));

  const last: Partial<Record<RequestChannel | "iopub", Promise<void>>> = {};
  return {
    send(channel, message) {
      // zeromq refuses a second send while one is under way
      const frames = wire.pack(
        channel === "iopub" ? { ...message, idents: [Buffer.from(message.header.msg_type)] } : message,
      );
      const socket = channel === "iopub" ? iopub : routers[channel];
      const sent = (last[channel] ?? Promise.resolve()).then(() => socket.send(frames as Buffer[])).catch(ignoreClosed);
      last[channel] = sent;
      return sent;
    },
    async close() {
      for (const socket of [...Object.values(routers), iopub, heartbeat]) socket.close();
      await Promise.race([Promise.all(readers), new Promise((resolve) => setTimeout(resolve, CLOSING_MS))]);
    },
  };
}

/** Remembers the latest ids, so that a message that is sent again is not obeyed twice. */
class SeenIds {
  private readonly ids = new Set<string>();

  constructor(private readonly limit: number) {}

  /** @returns false if the id was there */
  add(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > this.limit) this.ids.delete(this.ids.values().next().value!);
    return true;
  }
}

/** A peer that went away (EHOSTUNREACH) and our own closing (ETERM, EBUSY after close) are no news. */
function ignoreClosed(): void {}
