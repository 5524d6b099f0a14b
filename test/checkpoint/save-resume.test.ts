import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
  writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { load } from "../../sdk/pipeline.js";
import { ready } from "../../sdk/tensor/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("interrupted work");
await ready();
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-resume-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

interface Outcome {
  signal?: string;
  profile?: unknown;
  readToProfile?: number;
  resumedBytes?: number;
  files?: { name: string; sizeBytes: number; sha256: string }[];
}

function mergeAndSave(to: string, state: string, ...kill: string[]): Promise<Outcome> {
  const script = fileURLToPath(new URL("../support/merge-and-save.ts", import.meta.url));
  return new Promise((done, failed) => {
    execFile(process.execPath, ["--import", "tsx", script, join(folder, to), join(folder, state), ...kill],
      (error, stdout, stderr) => {
        if (error?.signal) done({ signal: error.signal });
        else if (error) failed(new Error(stderr));
        else done(JSON.parse(stdout.trim().split("\n").at(-1)!) as Outcome);
      });
  });
}

test("a process killed at any point is taken up where it was, and what comes out is the same", async () => {
  const whole = await mergeAndSave("whole", "whole-state");
  const weightBytes = whole.files!.filter(({ name }) => name.endsWith(".safetensors")).reduce(
    (sum, { sizeBytes }) => sum + sizeBytes,
    0,
  );
  assert.ok(whole.files!.length > 3, "several shards and their index");

  // in the middle of the profile, at the first piece, in the middle, and when only the last files are missing
  const pieces = [...(await openModel(join(folder, "whole")).then(({ store }) => [...store.names()]))].length;
  for (const kill of [["read", "layers.1.experts.3."], ["piece", "1"], ["piece", String(Math.floor(pieces / 2))], [
    "end",
  ]]) {
    assert.is((await mergeAndSave("out", "state", ...kill)).signal, "SIGKILL", kill.join(" "));
    assert.not.ok(existsSync(join(folder, "out")), "nothing under the name of the model");
    if (kill[0] === "read") continue;
    for (const open of [openModel(join(folder, "out.moelab-part")), load(join(folder, "out.moelab-part/new")).then()]) {
      const error = await rejects(open as Promise<unknown>);
      assert.is(error.code, "half-written");
      assert.match(error.message,
        /cut off after \d+ of \d+ pieces; accepted is a whole checkpoint. Save the model again/);
    }
  }
  const again = await mergeAndSave("out", "state");
  assert.equal(again.files, whole.files);
  assert.equal(again.profile, whole.profile);
  assert.is(again.readToProfile, 0, "the profile was whole before");
  assert.ok(again.resumedBytes! > 0.9 * weightBytes, `${again.resumedBytes} of ${weightBytes}`);
  assert.equal(readdirSync(folder).filter((name) => name.includes("part")), []);
});

const optionsOf = ({ config, family, store, folder: filesFrom }: Awaited<ReturnType<typeof openModel>>) => ({ config,
  family, original: store, filesFrom, noteBytes: 1000 });

test("a stopped save waits for the same save; another one begins anew", async () => {
  const opened = await openModel(fixture("models/olmoe_bf16"));
  const save = (more: object = {}, stopAt = Infinity) => {
    const stop = new AbortController();
    return saveModel(join(folder, "out"), opened.model, { ...optionsOf(opened), signal: stop.signal,
      onProgress: (done) => {
        if (done > stopAt) stop.abort();
      }, ...more });
  };
  const error = await rejects(save({}, 20_000));
  assert.is(error.code, "aborted");
  assert.match(error.message, /goes on from there/);
  assert.equal(readdirSync(folder), ["out.moelab-part"]);
  assert.is((await save({ dtype: "F32" })).resumedBytes, 0, "other numbers");
  rmSync(join(folder, "out"), { recursive: true });

  await rejects(save({}, 20_000));
  const saved = await save();
  assert.ok(saved.resumedBytes > 10_000 && saved.resumedBytes < 30_000, `${saved.resumedBytes}`);
  for (const name of opened.store.names()) {
    const again = await openModel(join(folder, "out"));
    assert.equal(await again.store.bytes(name), await opened.store.bytes(name), name);
    await again.model.dispose();
  }
  await opened.model.dispose();
});

test("two saves to one folder at a time are refused, and so is a file that was cut short meanwhile", async () => {
  const opened = await openModel(fixture("models/olmoe_bf16"));
  const save = (more: object = {}) => saveModel(join(folder, "out"), opened.model, { ...optionsOf(opened), ...more });
  let second: Promise<unknown> | undefined;
  await save({ onProgress: () => {
    second ??= save().catch((error: unknown) => error);
  } });
  assert.is(((await second) as { code?: string }).code, "being-written");
  rmSync(join(folder, "out"), { recursive: true });

  const stop = new AbortController();
  await rejects(save({ signal: stop.signal, onProgress: (done: number) => {
    if (done > 20_000) stop.abort();
  } }));
  const shard = join(folder, "out.moelab-part/new", "model.safetensors.part");
  writeFileSync(shard, readFileSync(shard).subarray(0, 100));
  assert.is((await rejects(save())).code, "incomplete");
  assert.is((await save()).resumedBytes, 0, "what could not be used is gone");
  await opened.model.dispose();
});

test("what is no save of ours is neither replaced nor removed", async () => {
  const opened = await openModel(fixture("models/olmoe_bf16"));
  const save = (name: string, more: object = {}) =>
    saveModel(join(folder, name), opened.model, { ...optionsOf(opened), ...more });
  const mine = ["out.part/mine.txt", "out.part-old/mine.txt", "home/mine.txt", "ours.moelab-part/mine.txt"];
  for (const path of mine) {
    mkdirSync(dirname(join(folder, path)));
    writeFileSync(join(folder, path), "mine");
  }
  writeFileSync(join(folder, "thesis.tex"), "mine");
  await save("out");
  assert.is((await rejects(save("out"))).code, "folder-exists");
  await save("out", { overwrite: true });
  for (const name of ["home", "thesis.tex", "ours"])
    assert.is((await rejects(save(name, { overwrite: true }))).code, "not-ours", name);
  writeFileSync(join(folder, "out", "notes.txt"), "mine");
  assert.match((await rejects(save("out", { overwrite: true }))).message,
    /save: .*out would be replaced, but it holds notes.txt, which moelab did not write/);
  for (const path of [...mine, "thesis.tex", "out/notes.txt"])
    assert.is(readFileSync(join(folder, path), "utf8"), "mine", path);
  assert.equal(readdirSync(folder).sort(), ["home", "ours.moelab-part", "out", "out.part", "out.part-old",
    "thesis.tex"]);
  await opened.model.dispose();
});

test("a model that was moved away by a replacement that was killed is found again", async () => {
  const opened = await openModel(fixture("models/olmoe_bf16"));
  const out = join(folder, "out"), part = `${out}.moelab-part`;
  await saveModel(out, opened.model, optionsOf(opened));
  mkdirSync(part);
  writeFileSync(join(part, "moelab-unfinished.json"), "{}");
  renameSync(out, join(part, "old"));
  const again = await load(out);
  assert.ok(existsSync(join(out, "config.json")));
  assert.is(await again.state.model.weights.fingerprint(), await opened.model.weights.fingerprint());
  await again.state.model.dispose();
  await saveModel(out, opened.model, { ...optionsOf(opened), overwrite: true });
  assert.equal(readdirSync(folder), ["out"]);
  await opened.model.dispose();
});

test("of two processes that save to one folder one succeeds, and the other is told", async () => {
  const outcome = () =>
    mergeAndSave("out", randomUUID()).then(() => "saved", (error: Error) =>
      /MoeError: save: .*(is already there|is being written)/.exec(error.message)?.[0] ?? error.message);
  const ends = await Promise.all([outcome(), outcome()]);
  assert.is(ends.filter((end) => end === "saved").length, 1, ends.join(" | "));
  assert.ok(ends.some((end) => end.startsWith("MoeError")), ends.join(" | "));
  assert.ok(existsSync(join(folder, "out", "config.json")));
});

test.run();
