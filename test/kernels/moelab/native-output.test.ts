import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../kernels/headless/kernel-spec.js";
import { Session, until } from "../session.js";

// What is written past JavaScript: by child processes that inherit the kernel's streams, and by native code.

const test = suite("native output");
let session: Session;
test.before(async () => {
  session = await Session.start();
  await session.run(
    "import { execSync, fork, spawn, spawnSync } from \"node:child_process\"; import { writeSync, "
      + "writeFileSync } from \"node:fs\"; import { once } from \"node:events\";",
  );
});
test.after(() => session.stop());

test("a synchronous child that inherits writes to the cell, in order", async () => {
  const ran = await session.run(
    "console.log(\"before\"); const { stdout } = spawnSync(\"sh\", [\"-c\", \"echo inside; echo wrong "
      + ">&2\"], { stdio: \"inherit\" }); console.log(\"after\", stdout)",
  );
  assert.is(ran.stdout, "before\ninside\nafter null\n");
  assert.is(ran.stderr, "wrong\n");
  assert.is((await session.run("execSync(\"echo piped; echo told >&2\").toString()")).stderr, "told\n");
});

test("its text is seen while it still runs", async () => {
  const ran = session.send("execSync(\"echo early; sleep 2\", { stdio: \"inherit\" }); console.log(\"late\")");
  await until(() => ran.stdout === "early\n");
  assert.is(ran.status, "");
  await ran.done;
  assert.is(ran.stdout, "early\nlate\n");
});

test("a child in the background belongs to the cell that started it", async () => {
  const asked = await session.run(
    "const child = spawn(\"sh\", [\"-c\", \"sleep 0.4; echo from the child; echo its error >&2; exit "
      + "3\"], { stdio: [\"ignore\", \"inherit\", \"inherit\"] }); [child.stdout, child.stdio[2]]",
  );
  assert.is(asked.value, "[ null, null ]");
  const next = await session.run("(await once(child, \"close\"))[0]");
  assert.is(next.value, "3");
  await until(() => asked.stderr !== "");
  assert.equal([asked.stdout, asked.stderr, next.stdout, next.stderr], ["from the child\n", "its error\n", "", ""]);
});

test("one stream sent to the other, and a forked module", async () => {
  const ran = await session.run(
    "await once(spawn(\"sh\", [\"-c\", \"echo crossed\"], { stdio: [\"ignore\", 2, process.stdout] }), "
      + "\"close\"); writeFileSync(\"forked.mjs\", \"console.log('forked'); process.send(7)\"); const forked "
      + "= fork(\"./forked.mjs\"); const [message] = await once(forked, \"message\"); await once(forked, "
      + "\"close\"); message",
  );
  assert.is(ran.value, "7");
  assert.equal([ran.stdout, ran.stderr], ["forked\n", "crossed\n"]);
});

test("descriptors 1 and 2 are the cell's, as native code writes to them", async () => {
  const ran = await session.run("writeSync(1, \"one ü😀\\n\"); writeSync(2, \"two\\n\"); 5");
  assert.equal([ran.stdout, ran.stderr, ran.value], ["one ü😀\n", "two\n", "5"]);
  const silent = await session.run("writeSync(1, \"unheard\\n\")", { silent: true });
  assert.is(silent.stdout, "");
});

test("a flood is cut like any other", async () => {
  const { stdout } = await session.run("execSync(\"yes line | head -n 300000; echo last\", { stdio: \"inherit\" })");
  assert.ok(stdout.length < 400_000, `${stdout.length} characters`);
  assert.match(stdout.slice(0, 30), /^line\n/);
  assert.match(stdout.replace(/(line\n)+/g, ""), /left out here; all of them are in \S+native-stdout\.txt/);
  assert.match(stdout.slice(-20), /line\nlast\n$/);
  assert.is((await session.run("1")).value, "1");
});

test("what is written shortly before the kernel dies is in its terminal", async () => {
  const file = join(session.folder, "dies.ipynb");
  const code = "import { writeSync } from 'node:fs'; writeSync(2, 'last words\\n'); Atomics.wait(new Int32Array(new "
    + "SharedArrayBuffer(4)), 0, 0, 300); process.kill(process.pid, 'SIGKILL');";
  writeFileSync(file,
    JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {},
      cells: [{ cell_type: "code", id: "one", metadata: {}, outputs: [], execution_count: null, source: code }] }));
  const words = () => {
    const { status, stderr } = spawnSync(process.execPath, [join(packageFolder(), "dist/cli.js"), "run", file, "--out",
      join(session.folder, "out")], { encoding: "utf8" });
    assert.is(status, 1);
    return /^last words$/m.test(stderr);
  };
  // what is being read at the very moment of the kill is lost, which on a busy machine may be later than this
  assert.ok(words() || words() || words() || words());
});

test.run();
