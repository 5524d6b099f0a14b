import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lockFolder, lockHolder } from "../../sdk/files/exclusive-lock.js";
import { rejects } from "../support/rejects.js";

const test = suite("one writer of a folder");
const root = mkdtempSync(join(tmpdir(), "moelab-lock-"));
test.after(() => rmSync(root, { recursive: true }));
const module = fileURLToPath(new URL("../../sdk/files/exclusive-lock.ts", import.meta.url));

/** A process that takes the lock, says so, and keeps it until it is killed. */
const keeper = (folder: string) =>
  spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e",
    `import { lockFolder } from ${JSON.stringify(module)}; await lockFolder(${JSON.stringify(folder)}, "test"); `
    + "console.log('held'); setInterval(() => {}, 1000);"], { stdio: ["ignore", "pipe", "inherit"] });

test("a lock lives as long as its process, and not longer", async () => {
  const folder = join(root, "a/b");
  const child = keeper(folder);
  await once(child.stdout, "data");
  assert.is(await lockHolder(folder), child.pid);
  const error = await rejects(lockFolder(folder, "save"));
  assert.is(error.code, "being-written");
  assert.match(error.message, new RegExp(`save: .* by process ${child.pid}; accepted is one writer at a time`));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.is(readdirSync(folder).length, 1, "what it left");
  await (await lockFolder(folder, "save"))();
  assert.equal(readdirSync(folder), []);
});

test("of many at once one at a time has it, in one process and in several", async () => {
  const folder = join(root, "many"), log = join(root, "log");
  const code = `import { lockFolder } from ${JSON.stringify(module)}; import { appendFileSync } from "node:fs";
    for (let i = 0; i < 12; i++) {
      const unlock = await lockFolder(${JSON.stringify(folder)}, "test").catch(() => undefined);
      if (!unlock) continue;
      appendFileSync(${JSON.stringify(log)}, "in ");
      await new Promise((done) => setTimeout(done, 3));
      appendFileSync(${JSON.stringify(log)}, "out ");
      await unlock();
    }`;
  await Promise.all(
    Array.from({ length: 4 }, () =>
      once(spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], { stdio: "inherit" }),
        "exit")),
  );
  const seen = readFileSync(log, "utf8").trim().split(" ");
  assert.ok(seen.length >= 48, `${seen.length / 2} had it`);
  assert.ok(seen.every((word, i) => word === (i % 2 ? "out" : "in")), seen.join(" "));
  const unlock = await lockFolder(folder, "test");
  assert.is((await rejects(lockFolder(folder, "test"))).code, "being-written");
  await unlock();
});

test("where nobody may write it says so at once", async () => {
  if (!existsSync("/proc")) return;
  const error = await rejects(lockFolder("/proc/moelab", "train"));
  assert.is(error.code, "cannot-write");
  assert.match(error.message, /^train: \/proc\/moelab cannot be written \(ENOENT|EACCES|EROFS/);
});

test.run();
