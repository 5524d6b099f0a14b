import { randomUUID } from "node:crypto";
import type { Message } from "../wire.js";

interface CommLinks {
  toRunner(kind: "open" | "msg" | "close", content: Record<string, any>): void;
  publish(type: string, parent: Partial<Message["header"]>, content: Record<string, unknown>): void;
}

/**
 * Open comms and the targets that code in cells serves. A comm for anybody else is closed at once, so that a widget
 * fails at once.
 */
export class Comms {
  private readonly targets = new Set<string>();
  private readonly open = new Map<string, string>();

  constructor(private readonly links: CommLinks) {}

  serve(target: string, served: boolean): void {
    if (served) this.targets.add(target);
    else this.targets.delete(target);
  }

  /** Answers `comm_info_request`. */
  info(target?: string): { comms: Record<string, { target_name: string }> } {
    const chosen = [...this.open].filter(([, name]) => !target || name === target);
    return { comms: Object.fromEntries(chosen.map(([id, target_name]) => [id, { target_name }])) };
  }

  /** A front end opens a comm, sends on it or closes it. */
  fromFrontEnd(kind: "open" | "msg" | "close", { header, content }: Message): void {
    const id = String(content.comm_id ?? "");
    if (kind === "open") {
      if (!this.targets.has(content.target_name))
        return this.links.publish("comm_close", header, { comm_id: id, data: {} });
      this.open.set(id, content.target_name);
    } else if (!this.open.has(id)) return;
    if (kind === "close") this.open.delete(id);
    this.links.toRunner(kind, content);
  }

  /** Code in a cell opens a comm, sends on it or closes it. */
  fromCell(kind: "open" | "msg" | "close", parent: Partial<Message["header"]>, content: Record<string, any>): void {
    const id = String(content.comm_id ?? randomUUID());
    if (kind === "open") this.open.set(id, content.target_name);
    if (kind === "close") this.open.delete(id);
    this.links.publish(`comm_${kind}`, parent, { ...content, comm_id: id });
  }
}
