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
  "a flood of timers": "setInterval(() => { for (const end = Date.now() + 20; Date.now() < end;); }, 1); await new Promise(() => {})",
  "a wait for another thread": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  "arithmetic of huge integers": "let n = 3n; for (;;) n = n * n % (10n ** 3000n)",
  "a comparison of a sort": "[2, 1].sort(() => { for (;;); })",
  "a trap of a proxy": "new Proxy({} as any, { get() { for (;;); } }).x",
  "a value that never ends drawing itself": "({ _repr_html_() { for (;;); } })",
  "a loop over an async generator": "async function* all() { for (let i = 0; ; i++) yield i } for await (const each of all());",
  "a loop that catches everything": "for (;;) { try { for (;;); } catch {} finally {} }",
  "a worker that is awaited": "import { Worker } from 'node:worker_threads'; const worker = new Worker('setInterval(() => {}, 1000)', { eval: true }); await new Promise((done) => worker.once('exit', done))",
  "a listener of a stream": "import { Readable } from 'node:stream'; Readable.from(['x']).on('data', () => { for (;;); }); await new Promise(() => {})",
  "a callback of the file system": "import { readFile } from 'node:fs'; readFile('/dev/null', () => { for (;;); }); await new Promise(() => {})",
  "a module that never ends loading": "await import('data:text/javascript,for(;;);' as string)",
  "a module that waits for ever": "await import('data:text/javascript,await new Promise(() => {})' as string)",
  "a listener of the signal itself": "(globalThis as any)[Symbol.for('moelab.kernel')].signal.addEventListener('abort', () => { for (;;); }); await new Promise(() => {})",
  "a generator": "function* ones() { for (;;) yield 1 } for (const one of ones());",
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
  const ran = session.send(`type Deep<N extends number, T extends unknown[] = []> = T["length"] extends N ? T : Deep<N, [...T, 1]>; ${Array.from({ length: 40 }, (_, i) => `type D${i} = Deep<${900 + i}>; const d${i} = null! as D${i};`).join(" ")}`);
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
  const said = await stops("import { execSync } from 'node:child_process'; execSync('sleep 3')");
  assert.match(said, /inside a native call/);
});

test("the signal of a cell aborts", async () => {
  const code = "const { signal } = (globalThis as any)[Symbol.for('moelab.kernel')]; signal.addEventListener('abort', () => (kept = 43)); await new Promise(() => {})";
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
