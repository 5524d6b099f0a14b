import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a test does to an answer. Returns true if it has answered. */
export type Trouble = (request: IncomingMessage, response: ServerResponse, path: string) => boolean | void;

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/**
 * A server that speaks the part of the hub's protocol that downloads use, for one model; large files are redirected to
 * a second origin, as the hub's are.
 */
export class LocalHub {
  readonly requests: { method: string; url: string; range?: string; authorization?: string }[] = [];
  /** the same for the origin of large files */
  readonly storeRequests: LocalHub["requests"] = [];
  trouble: Trouble = () => false;
  private readonly servers: Server[] = [];
  endpoint = "";
  private store = "";

  /** @param large paths that are stored as large files: named by their sha256 */
  constructor(
    readonly name: string,
    readonly files: Record<string, Buffer>,
    private readonly large: (path: string) => boolean = (path) => path.endsWith(".safetensors"),
  ) {}

  async start(): Promise<this> {
    this.store = await this.listen((request, response) => {
      this.note(this.storeRequests, request);
      const path = decodeURIComponent(new URL(request.url!, "http://store").pathname.slice(1));
      if (!this.trouble(request, response, path)) sendFile(request, response, this.files[path]);
    });
    this.endpoint = await this.listen((request, response) => {
      this.note(this.requests, request);
      const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
      const file = path.split(`/${this.name}/resolve/${COMMIT}/`)[1];
      if (this.large(file ?? "") && this.files[file]) {
        response.writeHead(302, { Location: `${this.store}/${encodeURIComponent(file)}?signature=s3cret` }).end();
      } else if (!this.trouble(request, response, file ?? path)) this.answer(request, response, path, file);
    });
    return this;
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private answer(request: IncomingMessage, response: ServerResponse, path: string, file: string | undefined): void {
    const json = (value: unknown) =>
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    if (path === `/api/models/${this.name}/revision/main`)
      json({ _id: "1", id: this.name, sha: COMMIT, private: false, gated: false, downloads: 0, likes: 0,
        lastModified: "2026-01-01" });
    else if (path === `/api/models/${this.name}/tree/${COMMIT}`) json(this.tree());
    else if (file && this.files[file]) sendFile(request, response, this.files[file]);
    else response.writeHead(404, {
        "X-Error-Code": path.startsWith(`/api/models/${this.name}/`) ? "RevisionNotFound" : "RepoNotFound",
      }).end();
  }

  tree(): object[] {
    return Object.entries(this.files).map(([path, content]) => ({
      type: "file",
      path,
      size: content.length,
      oid: gitHash(content),
      ...(this.large(path) && { lfs: { oid: sha256(content), size: content.length, pointerSize: 134 } }),
    }));
  }

  private note(list: LocalHub["requests"], { method, url, headers }: IncomingMessage): void {
    list.push({ method: method!, url: url!, range: headers.range, authorization: headers.authorization });
  }

  private listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(handler);
    this.servers.push(server);
    return new Promise((done) =>
      server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    );
  }
}

export function sendFile(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? NaN);
  if (Number.isNaN(start)) response.writeHead(200, { "Content-Length": content.length }).end(content);
  else response.writeHead(206, { "Content-Length": content.length - start,
      "Content-Range": `bytes ${start}-${content.length - 1}/${content.length}` }).end(content.subarray(start));
}

export const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
export const gitHash = (content: Buffer) =>
  createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
