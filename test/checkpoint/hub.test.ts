import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync,
  truncateSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bundledModels, resolveModel, type ResolveModelOptions } from "../../sdk/checkpoint/hub.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";
import { COMMIT, gitHash, LocalHub, sendFile, sha256 } from "./hub/local-hub.js";

const test = suite("hub");
const TOKEN = "hf_averysecrettoken";
let home = "";
let hub: LocalHub;
let printed: string[] = [];
const console_ = { ...console };

test.before.each(async () => {
  home = mkdtempSync(join(tmpdir(), "moelab-hub-"));
  hub = await new LocalHub("org/tiny", sharded()).start();
  printed = [];
  for (const method of ["log", "info", "debug", "warn", "error"] as const)
    console[method] = (...parts) => void printed.push(parts.join(" "));
});
test.after.each(async () => {
  Object.assign(console, console_);
  await hub.stop();
  rmSync(home, { recursive: true });
});

/** A sharded model with a tokenizer, and files that nobody needs. */
function sharded(): Record<string, Buffer> {
  const folder = fixture("models/mixtral_sharded");
  const names = readdirSync(folder).filter((name) => name.startsWith("model") || name === "config.json");
  return {
    ...Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))])),
    "tokenizer.json": readFileSync(fixture("tokenizers/bpe/tokenizer.json")),
    "pytorch_model.bin": Buffer.from("not wanted"),
    "original/consolidated.safetensors": Buffer.from("not wanted"),
  };
}
const SHARD = "model-00002-of-00003.safetensors";
const resolve = (options: ResolveModelOptions = {}, env: NodeJS.ProcessEnv = {}, ref = "org/tiny") =>
  resolveModel(ref, { retryDelayMs: 1, ...options,
    env: { HF_HOME: home, HF_ENDPOINT: hub.endpoint, HF_TOKEN: TOKEN, ...env } });
const repo = () => join(home, "hub", "models--org--tiny");
const blobOf = (path: string) =>
  join(repo(), "blobs", path.endsWith(".safetensors") ? sha256(hub.files[path]) : gitHash(hub.files[path]));
const fetched = () => [...hub.requests, ...hub.storeRequests].filter(({ url }) => !url.startsWith("/api"));

test("a model arrives in the layout that Python's tools share", async () => {
  const folder = await resolve();
  assert.is(folder, join(repo(), "snapshots", COMMIT));
  assert.is(readFileSync(join(repo(), "refs", "main"), "utf8"), COMMIT);
  const wanted = Object.keys(hub.files).filter((name) => name !== "pytorch_model.bin" && !name.includes("/")).sort();
  assert.equal(readdirSync(folder).sort(), wanted);
  for (const name of wanted) {
    assert.ok(lstatSync(join(folder, name)).isSymbolicLink());
    assert.is(join(folder, readlinkSync(join(folder, name))), blobOf(name));
    assert.equal(readFileSync(join(folder, name)), hub.files[name]);
  }
  const store = await openTensors(folder);
  assert.is([...store.names()].length, 65);
  await store.close();
});

test("what is cached is not fetched again, and is found without the hub", async () => {
  const folder = await resolve();
  hub.requests.length = hub.storeRequests.length = 0;
  assert.is(await resolve(), folder);
  assert.equal(fetched(), []);
  assert.is(await resolve({}, { HF_HUB_OFFLINE: "1", HF_ENDPOINT: "http://127.0.0.1:9" }), folder);
  assert.is(await resolve({ attempts: 1 }, { HF_ENDPOINT: "http://127.0.0.1:9" }), folder,
    "a hub that does not answer");
  assert.is(await resolve({}, { HF_HUB_OFFLINE: "1" }, `org/tiny@${COMMIT}`), folder);
});

test("offline, an incomplete model is no model", async () => {
  assert.is((await rejects(resolve({}, { HF_HUB_OFFLINE: "1" }))).code, "offline");
  await resolve();
  rmSync(blobOf(SHARD));
  assert.is((await rejects(resolve({}, { HF_HUB_OFFLINE: "1" }))).code, "offline");
});

test("HF_HUB_CACHE goes before HF_HOME", async () => {
  const cache = join(home, "elsewhere");
  assert.is(await resolve({}, { HF_HUB_CACHE: cache }), join(cache, "models--org--tiny", "snapshots", COMMIT));
});

test("progress ends with all bytes and never says more than the total", async () => {
  const reports: [number, number][] = [];
  await resolve({ onProgress: (done, total) => reports.push([done, total]) });
  const total = Object.entries(hub.files).filter(([name]) => name !== "pytorch_model.bin" && !name.includes("/"))
    .reduce((sum, [, content]) => sum + content.length, 0);
  assert.equal(reports.at(-1), [total, total]);
  assert.ok(reports.every(([done, of]) => done <= of));
});

test("a dropped connection is continued where it stopped", async () => {
  let drops = 3;
  hub.trouble = (request, response, path) => {
    if (path !== SHARD || drops-- <= 0) return false;
    const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const content = hub.files[SHARD];
    response.writeHead(start ? 206 : 200, { "Content-Length": content.length - start,
      ...(start && { "Content-Range": `bytes ${start}-${content.length - 1}/${content.length}` }) });
    response.write(content.subarray(start, start + 10_000), () => response.destroy());
    return true;
  };
  const folder = await resolve();
  assert.equal(readFileSync(join(folder, SHARD)), hub.files[SHARD]);
  const ranges = hub.storeRequests.filter(({ url }) => url.includes(SHARD)).map(({ range }) => range);
  assert.is(ranges.length, 4);
  assert.ok(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range!)), String(ranges));
});

test("a connection that always drops ends with an error, and the next load continues", async () => {
  hub.trouble = (_request, response, path) => path === SHARD && (response.destroy(), true);
  assert.is((await rejects(resolve({ attempts: 2 }))).code, "hub-unreachable");
  assert.not.ok(existsSync(join(repo(), "snapshots", COMMIT, SHARD)));
  assert.not.ok(existsSync(join(repo(), "refs", "main")));
  hub.trouble = () => false;
  writeFileSync(`${blobOf(SHARD)}.incomplete`, hub.files[SHARD].subarray(0, 777));
  await resolve();
  assert.is(hub.storeRequests.filter(({ url }) => url.includes(SHARD)).at(-1)!.range, "bytes=777-");
});

test("a server that sends the whole file instead of the rest is understood", async () => {
  mkdirSync(dirname(blobOf(SHARD)), { recursive: true });
  writeFileSync(`${blobOf(SHARD)}.incomplete`, "x".repeat(777));
  hub.trouble = (request, response, path) =>
    path === SHARD && (delete request.headers.range, sendFile(request, response, hub.files[SHARD]), true);
  assert.equal(readFileSync(join(await resolve(), SHARD)), hub.files[SHARD]);
});

test("leftovers of a wrong try are not kept", async () => {
  mkdirSync(dirname(blobOf(SHARD)), { recursive: true });
  writeFileSync(`${blobOf(SHARD)}.incomplete`, "x".repeat(777));
  assert.is((await rejects(resolve())).code, "wrong-hash");
  assert.not.ok(existsSync(`${blobOf(SHARD)}.incomplete`));
  assert.equal(readFileSync(join(await resolve(), SHARD)), hub.files[SHARD]);
});

test("a blob that was cut short is fetched again", async () => {
  await resolve();
  truncateSync(blobOf(SHARD), 100);
  assert.equal(readFileSync(join(await resolve(), SHARD)), hub.files[SHARD]);
});

for (const [what, send] of [["longer", (content: Buffer) => Buffer.concat([content, Buffer.alloc(10)])], ["shorter",
  (content: Buffer) => content.subarray(10)]] as const) {
  test(`a file that is ${what} than listed is refused`, async () => {
    hub.trouble = (request, response, path) =>
      path === SHARD && (sendFile(request, response, send(hub.files[SHARD])), true);
    assert.is((await rejects(resolve())).code, "wrong-size");
    assert.not.ok(existsSync(blobOf(SHARD)));
  });
}

test("a longer file without a length is refused, and its bytes are not kept", async () => {
  hub.trouble = (_request, response, path) =>
    path === SHARD && (response.write(hub.files[SHARD]), response.end("more"), true);
  assert.is((await rejects(resolve())).code, "wrong-size");
  assert.not.ok(existsSync(`${blobOf(SHARD)}.incomplete`));
});

test("a file with other content is refused", async () => {
  hub.trouble = (request, response, path) =>
    path === "config.json" && (sendFile(request, response, Buffer.alloc(hub.files["config.json"].length)), true);
  const error = await rejects(resolve());
  assert.is(error.code, "wrong-hash");
  assert.match(error.message, "config.json");
  assert.not.ok(existsSync(join(repo(), "snapshots", COMMIT, "config.json")));
});

for (const [status, code] of [[401, "not-allowed"], [403, "not-allowed"], [404, "not-found"], [500, "hub"], [429,
  "rate-limited"]] as const) {
  for (const where of ["the list", "a small file", "a large file"] as const) {
    test(`${status} for ${where}: ${code}, without the token`, async () => {
      const hit =
        { "the list": "/api/models/org/tiny/revision/main", "a small file": "config.json",
          "a large file": SHARD }[where];
      hub.trouble = (request, response, path) =>
        path === hit
        && (response.writeHead(status, { "Content-Type": "application/json", "Retry-After": "0" }).end(
          JSON.stringify({ error: `you sent ${request.headers.authorization}` }),
        ), true);
      const error = await rejects(resolve({ attempts: 3 }));
      assert.is(error.code, code);
      const tries = [...hub.requests, ...hub.storeRequests].filter(({ url }) => url.includes(hit)).length;
      assert.is(tries, (status >= 429 ? 3 : 1) * (where === "a large file" ? 2 : 1));
      for (const text of [error.message, error.stack, String(error.cause), ...printed]) {
        assert.not.match(String(text), TOKEN);
        assert.not.match(String(text), "s3cret");
      }
    });
  }
}

test("429 with Retry-After is waited for", async () => {
  let refusals = 2;
  const times: number[] = [];
  hub.trouble = (_request, response, path) => {
    if (path !== "config.json") return false;
    times.push(performance.now());
    return refusals-- > 0 && (response.writeHead(429, { "Retry-After": "0.2" }).end(), true);
  };
  await resolve();
  assert.is(times.length, 3);
  // timers may fire a millisecond early
  assert.ok(times[1] - times[0] >= 198 && times[2] - times[1] >= 198, String(times));
});

test("a wait of more than 5 minutes is not sat out", async () => {
  hub.trouble = (_request, response, path) =>
    path === "config.json" && (response.writeHead(429, { "Retry-After": "3600" }).end(), true);
  const error = await rejects(resolve());
  assert.is(error.code, "rate-limited");
  assert.match(error.message, "3600 seconds");
});

test("a full disk is said, and the next load continues", async () => {
  mkdirSync(dirname(blobOf(SHARD)), { recursive: true });
  symlinkSync("/dev/full", `${blobOf(SHARD)}.incomplete`);
  const error = await rejects(resolve());
  assert.is(error.code, "disk-full");
  assert.match(error.message, SHARD);
  rmSync(`${blobOf(SHARD)}.incomplete`);
  await resolve();
});

test("the token goes to the hub and not to where it redirects", async () => {
  await resolve();
  assert.ok(hub.requests.every(({ authorization }) => authorization === `Bearer ${TOKEN}`));
  assert.is(hub.storeRequests.length, 3);
  assert.ok(hub.storeRequests.every(({ authorization }) => authorization === undefined));
  assert.equal(printed, []);
});

test("a token file is read, and a token that is none is not repeated", async () => {
  writeFileSync(join(home, "token"), "hf_fromfile\n");
  await resolve({}, { HF_TOKEN: "" });
  assert.ok(hub.requests.every(({ authorization }) => authorization === "Bearer hf_fromfile"));
  const error = await rejects(resolve({}, { HF_TOKEN: "hf_se cret\n1" }));
  assert.is(error.code, "hub-token");
  assert.not.match(error.message, "cret");
  assert.is((await rejects(resolve({}, { HF_ENDPOINT: "https://user:password@host" }))).code, "hub-endpoint");
});

test("a load can be stopped, and continues later", async () => {
  const stop = new AbortController();
  hub.trouble = (_request, response, path) => {
    if (path !== SHARD) return false;
    response.writeHead(200, { "Content-Length": hub.files[SHARD].length });
    response.write(hub.files[SHARD].subarray(0, 5000),
      () => setTimeout(() => stop.abort(new Error("stopped by the user")), 50));
    return true;
  };
  await resolve({ signal: stop.signal }).then(() => assert.unreachable(),
    (error) => assert.is(error.message, "stopped by the user"));
  hub.trouble = () => false;
  await resolve();
  assert.is(hub.storeRequests.filter(({ url }) => url.includes(SHARD)).at(-1)!.range, "bytes=5000-");
});

for (const path of ["../../../evil.json", "/etc/evil.json", "a/../../evil.json", "..\\evil.json", ""]) {
  test(`the hub may not list ${JSON.stringify(path)}`, async () => {
    hub.tree = () => [{ type: "file", path, size: 4, oid: gitHash(Buffer.from("evil")) }];
    assert.is((await rejects(resolve())).code, "hub-answer");
  });
}

test("the hub may not answer with a commit or a hash that is a path", async () => {
  hub.tree = () => [{ type: "file", path: "config.json", size: 4, oid: "../../../../evil" }];
  assert.is((await rejects(resolve())).code, "hub-answer");
  hub.trouble = (_request, response, path) =>
    path.endsWith("/revision/main")
    && (response.writeHead(200, { "Content-Type": "application/json" }).end("{\"sha\": \"../../evil\"}"), true);
  assert.is((await rejects(resolve())).code, "hub-answer");
});

const json = (response: ServerResponse, text: string, headers = {}) =>
  response.writeHead(200, { "Content-Type": "application/json", ...headers }).end(text);
/** sends the piece for as long as somebody reads */
function endless(response: ServerResponse, start: string, piece: string): void {
  response.writeHead(200, { "Content-Type": "application/json" }).write(start);
  const go = (): void => {
    if (!response.destroyed) response.write(piece) ? setImmediate(go) : response.once("drain", go);
  };
  go();
}
const link = (path: string) => ({ Link: `<${hub.endpoint}${path}>; rel="next"` });
let pages = 0;

for (
  const [what, where, answer] of [["a next page that is the same page", "tree",
    (r, path) => json(r, "[]", link(`${path}?recursive=true&expand=false`))], [
    "a next page of a next page, without end",
    "tree",
    (r, path) => json(r, "[]", link(`${path}?page=${pages++}`)),
  ], ["a list without end", "tree", (r) => endless(r, "[", `{"type":"file","path":"${"x".repeat(60_000)}"},`)], [
    "an answer without end",
    "revision",
    (r) => endless(r, "{\"a\":\"", "x".repeat(65_536)),
  ], ["an object for a list", "tree", (r) => json(r, "{}")], ["null for a list", "tree", (r) => json(r, "null")], [
    "a page for people",
    "tree",
    (r) => json(r, "<html>"),
  ], ["null for an entry", "tree", (r) => json(r, "[null]")], ["a number for an entry", "tree", (r) => json(r, "[7]")],
    ["null for a model", "revision", (r) => json(r, "null")], ["brackets by the million", "tree",
    (r) => json(r, "[".repeat(4e6))]] as [string, string, (response: ServerResponse, path: string) => void][]
) {
  test(`the hub may not answer with ${what}`, async () => {
    hub.trouble = (_request, response, path) => path.includes(`/${where}/`) && (answer(response, path), true);
    const error = await rejects(resolve());
    assert.is(error.code, "hub-answer", error.message);
    assert.ok(error.message.length < 400, error.message);
  });
}

test("a model without safetensors is said to have none", async () => {
  for (const name of Object.keys(hub.files)) if (name.startsWith("model")) delete hub.files[name];
  const error = await rejects(resolve());
  assert.is(error.code, "no-checkpoint");
});

test("a model of one word, as the oldest have", async () => {
  const old = await new LocalHub("gpt2", sharded()).start();
  const folder = await resolveModel("gpt2", { retryDelayMs: 1, env: { HF_HOME: home, HF_ENDPOINT: old.endpoint } });
  assert.is(folder, join(home, "hub", "models--gpt2", "snapshots", COMMIT));
  assert.is(await resolveModel("gpt2", { env: { HF_HOME: home, HF_HUB_OFFLINE: "1" } }), folder);
  await old.stop();
});

test("a word that is no model is told what is accepted, and that the hub was asked", async () => {
  const error = await rejects(resolve({}, {}, "no-model-at-all"));
  assert.is(error.code, "no-such-model");
  assert.match(error.message, /"no-model-at-all" is neither .* hub .*org\/name/);
  assert.is((error.cause as { code: string }).code, "not-found");
});

test("a large file in Xet's chunks comes over plain HTTP; without a hash of the whole it is refused", async () => {
  const tree = hub.tree.bind(hub);
  hub.tree = () => tree().map((file) => ("lfs" in file ? { ...file, xetHash: "0".repeat(64) } : file));
  assert.ok(readFileSync(join(await resolve(), SHARD)).equals(hub.files[SHARD]));
  hub.tree = () => tree().map((file) => ("lfs" in file ? { ...file, lfs: undefined, xetHash: "0".repeat(64) } : file));
  const error = await rejects(resolve({}, { HF_HOME: join(home, "other") }));
  assert.is(error.code, "xet-only");
  assert.match(error.message, /Xet.*hf download org\/tiny/);
});

test("a name is a folder, then a bundled model, then a hub id", async () => {
  assert.is(await resolve({}, {}, home), home);
  for (const name of await bundledModels()) assert.ok((await resolve({}, {}, name)).endsWith(`data/models/${name}`));
  for (const name of ["nano-swich", "../x/y", "org/..", "org/a--b", "a/b/c", "/nowhere", "org /x", ""])
    assert.is((await rejects(resolve({}, {}, name))).code, "no-such-model", name);
  for (const revision of ["../x", "a//b", "", "a b"])
    assert.is((await rejects(resolve({}, {}, `org/tiny@${revision}`))).code, "model-id", revision);
  assert.is((await rejects(resolve({}, {}, "org/tiny@v2"))).code, "not-found");
  assert.is(hub.requests.filter(({ url }) => !url.includes("/revision/v2?")).length, 0);
});

test.run();
