import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exclusively, holder } from "../../sdk/experiment/exclusive.js";

const lock = () => join(mkdtempSync(join(tmpdir(), "exclusive-")), "job.lock");

test("while a job runs nobody else runs it; afterwards the lock is gone", async () => {
  const path = lock();
  const ran = await exclusively(path, async () => {
    assert.is(await holder(path), process.pid);
    assert.is(await exclusively(path, async () => assert.unreachable()), false);
  });
  assert.is(ran, true);
  assert.not(existsSync(path));
});

test("a job that fails gives its lock back", async () => {
  const path = lock();
  await exclusively(path, () => Promise.reject(new Error("broken"))).then(() => assert.unreachable(), () => {});
  assert.is(await exclusively(path, async () => {}), true);
});

test("the lock of a process that is gone is void, for one of those who find it", async () => {
  const path = lock();
  mkdirSync(path);
  const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
  writeFileSync(join(path, `.moelab-lock-999999999-1-${host}-${randomUUID()}`), "");
  let [running, most] = [0, 0];
  const ran = await Promise.all(Array.from({ length: 8 }, () =>
    exclusively(path, async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 20));
      running--;
    })));
  assert.is(most, 1);
  assert.ok(ran.includes(true));
  assert.equal(readdirSync(join(path, "..")), []);
});

test.run();
