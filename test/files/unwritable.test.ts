import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import fsp from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cannotWrite } from "../../sdk/files/cannot-write.js";
import { requireRoom } from "../../sdk/files/require-room.js";
import { moe } from "../../sdk/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("unwritable");
const root = mkdtempSync(join(tmpdir(), "moelab-unwritable-"));
test.after(() => rmSync(root, { recursive: true }));
const data = [{ ids: [[5, 9, 2, 4]], labels: [[9, 2, 4, 1]] }];
const model = () => moe.load(fixture("models/mixtral"));

/** everything that a chain writes, to a place that nobody can write to */
const writers: Record<string, (place: string) => PromiseLike<unknown>> = {
  save: (place) => model().save(place),
  train: (place) => model().train({ data, steps: 1000, batch: 1, state: place }),
  distill: (place) =>
    model().profile({ data }).merge({ method: "m-smoe", keep: 0.5 }).distill({ data, steps: 1000, batch: 1,
      state: place }),
  profile: (place) => model().profile({ data, state: place }),
};
for (const [verb, write] of Object.entries(writers)) {
  for (const place of ["/proc/no/place", join(root, "file", "place")]) {
    test(`${verb} to ${place.replace(root, "…")} fails at once`, async () => {
      writeFileSync(join(root, "file"), "mine");
      const error = await rejects(Promise.resolve(write(place)));
      assert.is(error.code, "cannot-write");
      assert.match(error.message, /place.* cannot be written \((ENOENT|ENOTDIR|EPERM)/);
    });
  }
}

for (const code of ["EROFS", "EFBIG", "ENOTEMPTY", "EMFILE", "ENOSPC", "EIO", "EDQUOT", "constructor"]) {
  test(`${code} is said in words`, () => {
    const { message, code: own } = cannotWrite("save", "/a/b", Object.assign(new Error("raw"), { code }));
    assert.is(own, code === "ENOSPC" ? "disk-full" : "cannot-write");
    assert.match(message, /^save: .*\/a\/b .*; accepted is .*\. .*\.$/);
    assert.not.match(message, /raw|native/);
  });
}

test("a disk without room is told from one with, there or not yet", async () => {
  await requireRoom(join(root, "a", "b"), 1, { verb: "save" });
  const error = await rejects(requireRoom(join(root, "a", "b"), 2 ** 60, { verb: "save" }));
  assert.is(error.code, "disk-full");
  assert.match(error.message, /a\/b needs 1152921504606847000 more bytes/);
});

test("training and saving ask for room before they begin", async () => {
  const was = fsp.statfs;
  fsp.statfs = (async () => ({ bavail: 1, bsize: 4096 })) as unknown as typeof was;
  syncBuiltinESMExports();
  try {
    for (const verb of ["train", "save"]) {
      const error = await rejects(Promise.resolve(writers[verb](join(root, verb))));
      assert.is(error.code, "disk-full");
      assert.match(error.message, new RegExp(`^${verb}: .* needs \\d+ more bytes and its disk has 4096`));
      assert.equal(existsSync(join(root, verb)) ? readdirSync(join(root, verb)) : [], []);
    }
  } finally {
    fsp.statfs = was;
    syncBuiltinESMExports();
  }
});

test.run();
