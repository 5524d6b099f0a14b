import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session, sleep, until } from "../session.js";

const test = suite("interrupt");
let session: Session;
test.before(async () => {
  session = await Session.start();
  await session.run("let kept = 42;");
});
test.after(() => session.stop());

/** Interrupts a cell that never ends by itself; the kernel must answer, and keep its variables. */
async function stops(code: string): Promise<string> {
  const ran = session.send(code);
  await until(() => ran.messages.some(({ header }) => header.msg_type === "execute_input"));
  await sleep(500);
  await session.kernel.interrupt();
  await Promise.race([ran.done, sleep(10_000)]);
  assert.is(ran.content.ename, "KernelInterrupt", code);
  assert.is((await session.run("kept")).value, "42");
  return ran.stderr;
}

const endless: Record<string, string> = {
  "a loop": "while (true) {}",
  "a loop in a function of an earlier cell": "function spin() { for (;;) {} } spin()",
  "a loop after an await": "await null; while (true) {}",
  "a loop of awaits": "for (;;) await null",
  "a loop that swallows the error": "for (;;) { try { await null } catch {} }",
  "a long await": "await new Promise((done) => setTimeout(done, 60_000))",
  "a promise that never settles": "await new Promise(() => {})",
  "a busy timer": "setInterval(() => { while (true) {} }, 5); await new Promise(() => {})",
  "a chain of immediates": "const again = () => setImmediate(again); again(); await new Promise(() => {})",
  "a chain of ticks": "const tick = () => process.nextTick(tick); tick(); await new Promise(() => {})",
  "a loop of output": "for (;;) console.log('line')",
  "a regular expression": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
  "a chain of microtasks": "const more = () => queueMicrotask(more); more(); await new Promise(() => {})",
  "a chain of promises": "const then = () => { Promise.resolve().then(then) }; then(); await new Promise(() => {})",
  "a flood of timers":
    "setInterval(() => { for (const end = Date.now() + 20; Date.now() < end;); }, 1); await new Promise(() => {})",
  "a wait for another thread": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  "arithmetic of huge integers": "let n = 3n; for (;;) n = n * n % (10n ** 3000n)",
  "a comparison of a sort": "[2, 1].sort(() => { for (;;); })",
  "a trap of a proxy": "new Proxy({} as any, { get() { for (;;); } }).x",
  "a value that never ends drawing itself": "({ _repr_html_() { for (;;); } })",
  "a loop over an async generator":
    "async function* all() { for (let i = 0; ; i++) yield i } for await (const each of all());",
  "a loop that catches everything": "for (;;) { try { for (;;); } catch {} finally {} }",
  "a worker that is awaited":
    "import { Worker } from 'node:worker_threads'; const worker = new Worker('setInterval(() => {}, "
    + "1000)', { eval: true }); await new Promise((done) => worker.once('exit', done))",
  "a listener of a stream":
    "import { Readable } from 'node:stream'; Readable.from(['x']).on('data', () => { for (;;); }); await "
    + "new Promise(() => {})",
  "a callback of the file system":
    "import { readFile } from 'node:fs'; readFile('/dev/null', () => { for (;;); }); await new Promise(() => {})",
  "a module that never ends loading": "await import('data:text/javascript,for(;;);' as string)",
  "a module that waits for ever": "await import('data:text/javascript,await new Promise(() => {})' as string)",
  "a listener of the signal itself":
    "(globalThis as any)[Symbol.for('moelab.kernel')].signal.addEventListener('abort', () => { for (;;); "
    + "}); await new Promise(() => {})",
  "a generator": "function* ones() { for (;;) yield 1 } for (const one of ones());",
  "awaits of what is no promise": "while (true) await 0",
  "key after key derived":
    "import { pbkdf2Sync } from 'node:crypto'; for (;;) pbkdf2Sync('p', 's', 5000, 32, 'sha256')",
  "file after file written":
    "import { writeFileSync } from 'node:fs'; for (let i = 0; ; i++) writeFileSync('again.txt', String(i))",
  "child after child": "import { spawnSync } from 'node:child_process'; for (;;) spawnSync('true')",
  "recursion that starts over":
    "const fall = (n: number): number => fall(n + 1) + 1; for (;;) try { fall(0) } catch {}",
  "text of what never ends": "const endlessJson: any = { toJSON() { for (;;); } }; JSON.stringify(endlessJson)",
  "text of a huge value, over and over":
    "const huge = Array.from({ length: 2e5 }, (_, i) => ({ i, s: 'x' })); for (;;) JSON.stringify(huge)",
  "a comparison that takes its time":
    "Array.from({ length: 1e6 }, (_, i) => -i).sort((a, b) => { for (let i = 0; i < 1e5; i++); return a - b })",
  "an array of an endless iterator": "Array.from({ *[Symbol.iterator]() { for (;;) yield* [] as number[] } })",
  "a spread of an endless iterator":
    "Math.max(...{ [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }), i: 0 }) })",
  "a race that nobody wins": "await Promise.race([new Promise(() => {}), new Promise(() => {})])",
  "an event that never comes":
    "import { once, EventEmitter } from 'node:events'; await once(new EventEmitter(), 'never')",
  "an endless stream": "import { Readable } from 'node:stream'; let chunks = 0; for await (const chunk of "
    + "Readable.from((async function* () { for (;;) yield 'x' })())) chunks++",
  "a pipeline without end":
    "import { Writable } from 'node:stream'; import { pipeline } from 'node:stream/promises'; await "
    + "pipeline(async function* () { for (;;) { await null; yield 'x' } }, new Writable({ write(c, e, "
    + "done) { done() } }))",
  "a watched folder": "import { watch } from 'node:fs/promises'; for await (const change of watch('.'));",
  "an interval as an iterator":
    "import { setInterval as every } from 'node:timers/promises'; for await (const beat of every(1)) { "
    + "const until = Date.now() + 30; while (Date.now() < until); }",
  "a request that is never answered":
    "import { createServer } from 'node:http'; const mute = createServer(() => {}).listen(0); await new "
    + "Promise((r) => mute.once('listening', r)); await fetch(`http://127.0.0.1:${(mute.address() as " + "any).port}`)",
  "a worker that computes":
    "import { Worker } from 'node:worker_threads'; const busy = new Worker('for (const end = Date.now() "
    + "+ 2500; Date.now() < end;);', { eval: true }); await new Promise((done) => busy.once('exit', done))",
  "a loop of WebAssembly": "(new WebAssembly.Instance(new "
    + "WebAssembly.Module(Uint8Array.of(0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11))).exports as any).f()",
  "a getter while the value is shown": "({ get _repr_html_() { for (;;); } })",
  "a proxy while the value is shown": "new Proxy({}, { getPrototypeOf() { for (;;); }, get() { for (;;); } })",
  "text while the value is shown": "({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })",
  "a value that is drawn for ever": "({ async [Symbol.for('Jupyter.display')]() { await new Promise(() => {}) } })",
  "code that is evaluated": "eval('for (;;);')",
  "code in a context of its own": "import { runInNewContext } from 'node:vm'; runInNewContext('for (;;);')",
  "a static block": "class Endless { static { for (;;); } }",
  "a default of a parameter": "((a = (() => { for (;;); })()) => a)()",
  "a template's tag": "const tag = (strings: TemplateStringsArray) => { for (;;); }; tag`x`",
  "a thenable that loops": "await ({ then() { for (;;); } } as any)",
  "a disposal": "using stuck = { [Symbol.dispose]() { for (;;); } }",
  "a finally that goes on": "try { await new Promise(() => {}) } finally { for (;;); }",
  "a replacement": "'x'.repeat(10).replace(/x/g, () => { for (;;); })",
  "ticks and microtasks by turns":
    "const flood = () => { process.nextTick(flood); queueMicrotask(() => {}); }; flood(); for (;;) await "
    + "new Promise((r) => setImmediate(r))",
};
for (const [name, code] of Object.entries(endless)) test(`stops ${name}`, async () => void (await stops(code)));

test("stops a question to the user", async () => {
  const ran = session.send("await input('never answered? ')", { answer: () => new Promise<string>(() => {}) });
  await until(() => ran.messages.some(({ header }) => header.msg_type === "execute_input"));
  await sleep(500);
  await session.kernel.interrupt();
  await ran.done;
  assert.is(ran.content.ename, "KernelInterrupt");
  assert.is((await session.run("await input('name? ')", { answer: () => "given" })).value, "'given'");
});

test("stops a type check", async () => {
  const ran = session.send(
    `type Deep<N extends number, T extends unknown[] = []> = T["length"] extends N ? T : Deep<N, [...T, ` + "1]>; "
      + `${
        Array.from({ length: 40 }, (_, i) => `type D${i} = Deep<${900 + i}>; const d${i} = ` + `null! as D${i};`).join(
          " ",
        )
      }`,
  );
  await until(() => ran.messages.some(({ header }) => header.msg_type === "execute_input"));
  await session.kernel.interrupt();
  await ran.done;
  assert.ok(["error", "ok"].includes(ran.status));
  assert.is((await session.run("kept")).value, "42");
});

test("stops a timer of a cell that has ended", async () => {
  const ran = await session.run("setInterval(() => { while (true) {} }, 5)");
  assert.is(ran.status, "ok");
  await sleep(300);
  await session.kernel.interrupt();
  assert.is((await session.run("kept + 1")).value, "43");
});

test("a loop of awaits does not go on in the background", async () => {
  await session.run("let rounds = 0");
  await stops("for (;;) { rounds++; await new Promise((done) => setTimeout(done, 5)) }");
  const { value } = await session.run("rounds");
  await sleep(100);
  assert.is((await session.run("rounds")).value, value);
});

test("a native call ends when it returns, and the user is told", async () => {
  const pipe = join(session.folder, "pipe");
  spawnSync("mkfifo", [pipe]);
  const ran = session.send("import { readFileSync } from 'node:fs'; readFileSync('pipe', 'utf8')");
  await sleep(1000);
  await session.kernel.interrupt();
  await until(() => /inside a native call/.test(ran.stderr));
  writeFileSync(pipe, "text");
  await ran.done;
  assert.is(ran.content.ename, "KernelInterrupt");
  assert.is((await session.run("kept")).value, "42");
});

/** Ids of the processes whose command line holds a text. */
const running = (text: string) =>
  spawnSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" }).stdout.split("\n").filter((line) =>
    line.includes(text) && !line.includes("ps -A")
  );

const CHILDREN: Record<string, string> = {
  "execSync": "execSync('sleep 41.01')",
  "spawnSync with a shell between": "spawnSync('sh', ['-c', 'sleep 41.02; echo on'], { stdio: 'inherit' })",
  "execFileSync that ignores SIGINT": "execFileSync('sh', ['-c', 'trap \"\" INT; sleep 41.03; sleep 41.03'])",
  "a spawned child that is awaited":
    "const c = spawn('sh', ['-c', 'sleep 41.04; echo on'], { stdio: 'inherit' }); await new Promise((r) => c.once('exit', r))",
  "exec, promised": "await promisify(exec)('sleep 41.05; echo on')",
  "a child that nobody awaits, and a loop": "spawn('sleep', ['41.06']); for (;;);",
  "a child of a child of a child": "execSync('sh -c \"sh -c \\\\\"sleep 41.07; true\\\\\"; true\"; true')",
  "a fork": "const f = fork(fileOfChild, ['41.08']); await new Promise((r) => f.once('exit', r))",
  "a pipeline of children": "execSync('sleep 41.09 | cat | cat')",
  "children of a worker":
    "const w = new Worker('require(\"child_process\").execSync(\"sleep 41.10\")', { eval: true }); await new Promise((r) => w.once('exit', r))",
};
for (const [name, code] of Object.entries(CHILDREN)) {
  test(`stops the children of a cell: ${name}`, async () => {
    const mark = /41\.\d\d/.exec(code)![0];
    await session.run(
      "import { exec, execFileSync, execSync, fork, spawn, spawnSync } from 'node:child_process'; "
        + "import { promisify } from 'node:util'; import { Worker } from 'node:worker_threads'; "
        + "import { writeFileSync } from 'node:fs'; const fileOfChild = `${process.cwd()}/child.cjs`; "
        + "writeFileSync(fileOfChild, 'setTimeout(() => {}, 41080)');",
    );
    const ran = session.send(code);
    await until(() => running(mark).length > 0);
    const started = Date.now();
    await session.kernel.interrupt();
    await ran.done;
    assert.is(ran.content.ename, "KernelInterrupt");
    assert.ok(Date.now() - started < (name.includes("ignores") ? 6000 : 3000), `${Date.now() - started} ms`);
    await until(() => running(mark).length === 0);
    assert.is((await session.run("kept")).value, "42");
    assert.not.match(ran.stdout, /on/);
  });
}

test("children of other cells, and detached ones, live on", async () => {
  await session.run("import { spawn } from 'node:child_process'; const other = spawn('sleep', ['42.01'])");
  const ran = session.send("const own = spawn('sleep', ['42.02'], { detached: true }); await new Promise(() => {})");
  await until(() => running("42.02").length > 0);
  await session.kernel.interrupt();
  await ran.done;
  await sleep(500);
  assert.is(running("sleep 42.0").length, 2);
  await session.run("other.kill(); own.kill()");
});

test("children end with their kernel, but for detached ones", async () => {
  const other = await Session.start();
  await other.run(
    "import { spawn } from 'node:child_process'; spawn('sh', ['-c', 'sleep 43.01; echo on']); "
      + "spawn('sleep', ['43.02'], { detached: true })",
  );
  await other.stop();
  await until(() => running("sleep 43.01").length === 0);
  const [left] = running("sleep 43.02");
  assert.ok(left);
  process.kill(Number.parseInt(left!));
});

test("the signal of a cell aborts", async () => {
  const code = "const { signal } = (globalThis as any)[Symbol.for('moelab.kernel')]; "
    + "signal.addEventListener('abort', () => (kept = 43)); await new Promise(() => {})";
  const ran = session.send(code);
  await until(() => ran.messages.some(({ header }) => header.msg_type === "execute_input"));
  await sleep(500);
  await session.kernel.interrupt();
  await ran.done;
  assert.is((await session.run("kept")).value, "43");
  await session.run("kept = 42");
});

test("finally blocks run when an await is interrupted", async () => {
  await session.run("let cleaned = false");
  await stops("try { for (;;) await new Promise((done) => setTimeout(done, 5)) } finally { cleaned = true }");
  await sleep(50);
  assert.is((await session.run("cleaned")).value, "true");
});

test("twice, and while nothing runs, is harmless", async () => {
  await Promise.all([session.kernel.interrupt(), session.kernel.interrupt()]);
  await session.kernel.interrupt();
  const ran = session.send("await new Promise(() => {})");
  await sleep(500);
  await Promise.all([session.kernel.interrupt(), session.kernel.interrupt()]);
  await ran.done;
  assert.is((await session.run("kept")).value, "42");
});

test("cells that wait behind an interrupted one are aborted", async () => {
  const [first, second] = [session.send("await new Promise(() => {})"), session.send("kept = 0")];
  await sleep(500);
  await session.kernel.interrupt();
  await Promise.all([first.done, second.done]);
  assert.is(second.status, "aborted");
  assert.is((await session.run("kept")).value, "42");
});

test.run();
