import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session, sleep, until } from "../session.js";

const test = suite("display");
let session: Session;
test.before(async () => {
  session = await Session.start();
});
test.after(() => session.stop());

const DRAWS = "const drawn = (text: string) => ({ [Symbol.for('Jupyter.display')]: () => ({ data: { 'text/html': "
  + "`<b>${text}</b>`, 'text/plain': text }, metadata: { 'text/html': { isolated: true } } }) });";

test("the last expression is the value, drawn by itself if it can", async () => {
  await session.run(DRAWS);
  const { outputs } = await session.run("drawn('x')");
  assert.equal(outputs[0]!.data, { "text/html": ["<b>x</b>"], "text/plain": ["x"] });
  assert.equal(outputs[0]!.metadata, { "text/html": { isolated: true } });
});

test("bytes become base64, JSON stays JSON, other libraries' methods are asked", async () => {
  const { outputs } = await session.run(
    "({ _repr_png_: () => new Uint8Array([1, 2, 3]), _repr_html_: () => '<i>h</i>', _repr_json_: () => ({ a: [1] }) })",
  );
  assert.is(outputs[0]!.data["image/png"], "AQID");
  assert.equal(outputs[0]!.data["text/html"], ["<i>h</i>"]);
  assert.equal(outputs[0]!.data["application/json"], { a: [1] });
});

test("display shows below the cell and updates in place", async () => {
  const { outputs, messages } = await session.run(
    "const shown = await display(drawn('1')); await shown.update(drawn('2')); await "
      + "display.update(shown.id, drawn('3')); shown",
  );
  assert.is(outputs.length, 1);
  assert.equal(outputs[0]!.data["text/plain"], ["3"]);
  assert.not.ok(messages.some(({ header }) => header.msg_type === "execute_result"));
  const late = await session.run("await shown.update(drawn('4'))");
  assert.is(late.messages.find(({ header }) => header.msg_type === "update_display_data")?.content.data["text/plain"],
    "4");
});

test("clear removes what the cell has shown", async () => {
  const { stdout } = await session.run("console.log('gone'); display.clear(); console.log('stays')");
  assert.is(stdout, "stays\n");
});

for (const code of ["undefined", "setTimeout(() => {}, 1)", "Promise.resolve()", "display(undefined)",
  "setImmediate(() => {})", "const declared = 1", "if (true) 5"]) {
  test(`no value is shown for ${code}`, async () => {
    const { outputs, status } = await session.run(code);
    assert.is(status, "ok");
    assert.equal(outputs, []);
  });
}

test("a promise that ends a cell is shown, and its rejection fails the cell", async () => {
  assert.is((await session.run("Promise.resolve(5)")).value, "Promise { 5 }\n(await gives the value itself)");
  assert.match((await session.run("new Promise(() => {})")).value, /^Promise \{ <pending> \}\n\(it goes on; await/);
  for (const last of ["load()", "Promise.reject(new Error('load failed'))", "Promise.all([load()])",
    "void 0, load()"]) {
    const ran = await session.run(`async function load() { throw new Error('load failed') }\n${last}`);
    assert.equal([ran.status, ran.content.ename, ran.content.evalue], ["error", "Error", "load failed"], last);
    assert.is(ran.stderr, "", last);
  }
  const later = await session.run(
    "(async () => { await new Promise((r) => setTimeout(r, 50)); throw new Error('late') })()",
  );
  assert.is(later.status, "ok");
  await until(() => /Unhandled rejection in cell \[\d+\]: .*Error.*: late/.test(later.stderr));
});

test("a rejection that nobody waits for stands in the output of its cell before the cell is idle", async () => {
  const { messages, status } = await session.run("Promise.reject(new Error('nobody')); 7");
  const told = messages.findIndex(({ content }) => /Unhandled rejection.*nobody/.test(content.text));
  const idle = messages.findIndex(({ content }) => content.execution_state === "idle");
  assert.ok(told > 0 && told < idle, `${told} of ${idle}`);
  assert.is(status, "ok");
});

test("a chain without await says what it would do, and its options are checked", async () => {
  const load = "moe.load('nano-switch-pron').profile()";
  await session.run("import { moe } from 'moelab';");
  assert.is((await session.run(`${load}.merge({ method: 'm-smoe', keep: 0.25 })`)).value,
    "load('nano-switch-pron')\n  .profile()\n  .merge({ method: 'm-smoe', keep: 0.25 })\n"
      + "(nothing has run: await runs it and gives a Study)");
  const wrong = await session.run(`${load}.merge({ method: 'm-smo' as 'm-smoe', keep: 0.25 }).evaluate()`);
  assert.equal([wrong.status, wrong.content.ename], ["error", "MoeError"]);
  assert.match(wrong.content.evalue, /m-smo/);
});

test("a kernel's first import brings no warning of its own", async () => {
  const fresh = await Session.start();
  assert.is((await fresh.run("import { sep } from 'node:path'; sep")).stderr, "");
  await fresh.stop();
});

test("warnings stand in the output of the cell that caused them", async () => {
  const wait = "await new Promise((r) => setTimeout(r, 20));";
  const warned = async (code: string) => (await session.run(`${code}; ${wait}`)).stderr;
  assert.is(await warned("process.emitWarning('careful')"),
    "Warning: careful\n    at " + (await lastCell()) + ":1:9\n");
  assert.match(await warned("const e = new (require('events'))(); for (let i = 0; i < 12; i++) e.on('x', () => {})"),
    /^MaxListenersExceededWarning: Possible EventEmitter memory leak.*\n    at Cell \[\d+\]:1:/);
  assert.match(await warned("new Buffer(3)"), /^DeprecationWarning \[DEP0005\]: Buffer\(\) is deprecated/);
  assert.match(await warned("require('util').deprecate(() => 1, 'old', 'X1')()"), /^DeprecationWarning \[X1\]: old/);
  assert.is(await warned("console.warn('by hand')"), "by hand\n");
  assert.match(await warned("process.emitWarning('what', { type: 'Own', code: 'C1', detail: 'more of it' })"),
    /^Own \[C1\]: what\n    at Cell \[\d+\]:1:9\nmore of it\n$/);
  const [first, second] = [await session.run("setTimeout(() => process.emitWarning('late'), 50)"),
    await session.run("await new Promise((r) => setTimeout(r, 200))")];
  assert.match(first.stderr, /^Warning: late/);
  assert.is(second.stderr, "");
  const forked =
    "const w = new (require('worker_threads').Worker)('process.emitWarning(\"in a thread\")', { eval: true }); "
    + "await new Promise((r) => w.once('exit', r))";
  assert.match(await warned(forked), /Warning: in a thread/);
});

/** What stack traces call the cell that ran last. */
const lastCell = async () => `Cell [${(await session.run("1", { storeHistory: false })).content.execution_count}]`;

const FLAT: Record<string, string> = {
  "Deno's flat bundle": "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': 'p', 'text/html': '<b>x</b>' }) })",
  "a bundle with metadata":
    "({ [Symbol.for('Jupyter.display')]: () => ({ data: { 'text/plain': 'p', 'text/html': '<b>x</b>' }, metadata: {} }) })",
  "a promise of one":
    "({ [Symbol.for('Jupyter.display')]: async () => ({ 'text/plain': 'p', 'text/html': '<b>x</b>' }) })",
  "IPython's pair": "({ _repr_mimebundle_: () => [{ 'text/plain': 'p', 'text/html': '<b>x</b>' }, {}] })",
};
for (const [name, code] of Object.entries(FLAT)) {
  test(`${name} is drawn as last value, by display and by moe.display`, async () => {
    await session.run("import { moe } from 'moelab';");
    const ways = [`const d = ${code}; d`, "await display(d)", "await moe.display(d)",
      "await moe.display(d).then((shown) => shown.update(d))"];
    for (const way of ways) {
      const { outputs, content } = await session.run(way);
      assert.equal(outputs[0]?.data, { "text/plain": ["p"], "text/html": ["<b>x</b>"] }, `${way}: ${content.evalue}`);
    }
  });
}

test("values as text; large ones are cut with a word on how to see all", async () => {
  assert.is((await session.run("null")).value, "null");
  assert.is((await session.run("({ a: [1, { b: 2n }], s: 'x' })")).value, "{ a: [ 1, { b: 2n } ], s: 'x' }");
  const { value } = await session.run("Array.from({ length: 5000 }, (_, i) => i)");
  assert.match(value, /4900 more items/);
  assert.match(value, /console\.dir/);
  assert.match((await session.run("new Error('outer', { cause: new TypeError('inner') })")).value,
    /outer[\s\S]*\[cause\]: TypeError: inner/);
});

test("nested values are cut as a whole, and a cut in depth is said too", async () => {
  const { value } = await session.run("Array.from({ length: 200 }, () => Array.from({ length: 200 }, () => Math.PI))");
  assert.ok(value.length < 25_000, `${value.length} characters`);
  assert.match(value, /prints all of it/);
  assert.match((await session.run("({ a: { b: { c: { d: { e: { f: 1 } } } } } })")).value,
    /\[Object\][\s\S]*prints all of it/);
  for (const code of ["({ get g() { return 1 }, f() {}, s: Symbol('x') })", "(function* () {})()", "[class Kept {}]"])
    assert.not.match((await session.run(code)).value, /prints all/, code);
});

test("what is printed keeps its bytes, in any encoding, and nobody can end the stream", async () => {
  const { stdout } = await session.run(
    "const both = Buffer.from('ü😀'); process.stdout.write(both.subarray(0, 3)); "
      + "process.stdout.write(both.subarray(3)); process.stdout.write('6869', 'hex'); "
      + "process.stdout.end('!\\n'); console.log('still')",
  );
  assert.is(stdout, "ü😀hi!\nstill\n");
});

test("callbacks of sockets, streams and files belong to the cell that asked", async () => {
  const asked = await session.run(
    "import { createReadStream, readFile } from 'node:fs'; import { spawn } from 'node:child_process'; "
      + "import { createServer, get } from 'node:http'; createReadStream('/not/there/1'); "
      + "readFile('/not/there/2', (error) => { throw error }); spawn('sh', ['-c', 'sleep 0.2; echo from a "
      + "child']).stdout.on('data', (data) => console.log(String(data))); const server = "
      + "createServer((request, response) => { console.log('request', request.url); response.end('body') "
      + "}).listen(0, () => get({ port: (server.address() as any).port, path: '/x' }, (response) => "
      + "response.once('data', (data) => { console.log(String(data)); server.close() })));",
  );
  const next = session.send("await new Promise((r) => setTimeout(r, 1500)); 'next'");
  const all = () => asked.stdout + asked.stderr + next.stdout + next.stderr;
  const told = ["from a child", "request /x", "body", "/not/there/1", "/not/there/2"];
  await until(() => told.every((text) => all().includes(text)));
  await next.done;
  assert.equal([next.stdout, next.stderr], ["", ""]);
});

test("listeners are found again, and once means once", async () => {
  const { value } = await session.run(
    "import { EventEmitter, once } from 'node:events'; const em = new EventEmitter(), calls: string[] = "
      + "[]; const heard = (x: unknown) => calls.push(`${x}`); em.on('a', heard); em.once('a', heard); "
      + "em.prependOnceListener('a', () => calls.push('first')); em.emit('a', 1); em.emit('a', 2); "
      + "em.off('a', heard); em.once('b', heard); em.off('b', heard); setTimeout(() => em.emit('c', 'late'), "
      + "5); [calls.join(), em.listenerCount('a'), em.listenerCount('b'), (await once(em, 'c'))[0], "
      + "em.on('d', heard).listeners('d')[0] === heard]",
  );
  assert.is(value, "[ 'first,1,1,2', 0, 0, 'late', true ]");
});

test("a tensor shows shape, type and values without leaving tensors behind", async () => {
  const { value } = await session.run(
    "import { tf } from 'moelab'; await tf.setBackend('cpu'); const eye = tf.eye(2); const "
      + "before = tf.memory().numTensors; eye",
  );
  assert.is(value, "Tensor float32 [2, 2]\n[ [ 1, 0 ], [ 0, 1 ] ]");
  assert.is((await session.run("tf.memory().numTensors - before")).value, "0");
  assert.match((await session.run("tf.zeros([300, 300])")).value, /first 200 of 90,000 values/);
  assert.is(
    (await session.run(
      "({ weights: [eye, tf.scalar(2, 'int32')], gone: tf.tidy(() => { const t = tf.ones([1]); "
        + "t.dispose(); return { t } }).t })",
    )).value,
    "{ weights: [ Tensor float32 [2, 2], Tensor int32 [] ], gone: Tensor float32 [1], disposed }",
  );
  assert.is((await session.run("console.log([eye], new Map([['v', tf.variable(eye)]]))")).stdout,
    "[ Tensor float32 [2, 2] ] Map(1) { 'v' => Tensor float32 [2, 2] }\n");
});

test("a value that cannot be drawn or inspected is an error of the cell", async () => {
  assert.is(
    (await session.run("({ [Symbol.for('Jupyter.display')]() { throw new Error('no drawing') } })")).content.evalue,
    "no drawing",
  );
  assert.is((await session.run("1")).value, "1");
});

test("late output goes to the cell that started it", async () => {
  const timer = await session.run(
    "setTimeout(() => console.log('from the timer'), 150); void (async () => { await new Promise((r) => "
      + "setTimeout(r, 200)); console.log('from the promise') })()",
  );
  const next = await session.run("await new Promise((r) => setTimeout(r, 600)); console.log('next')");
  assert.is(next.stdout, "next\n");
  assert.is(timer.stdout, "from the timer\nfrom the promise\n");
});

test("errors that nobody awaits are shown at their cell and the kernel lives on", async () => {
  const ran = await session.run(
    "setTimeout(() => { throw new RangeError('in the timer') }, 50); Promise.reject(new TypeError('not "
      + "awaited')); void (async () => { await null; throw 'a string' })();",
  );
  const next = await session.run("await new Promise((r) => setTimeout(r, 300)); 7");
  assert.is(next.value, "7");
  assert.is(next.stderr, "");
  for (const told of [/Uncaught exception in cell \[\d+\]: .*RangeError.*: in the timer\n    at .*Cell \[\d+\]:1:/,
    /Unhandled rejection in cell \[\d+\]: .*TypeError.*: not awaited/, /a string/]) assert.match(ran.stderr, told);
});

test("an error in a timer is told at its cell though another one runs by then", async () => {
  const ran = await session.run("setTimeout(() => { throw new RangeError('while the next runs') }, 200)");
  const next = await session.run("await new Promise((r) => setTimeout(r, 500)); 8");
  assert.is(next.stderr, "");
  assert.match(ran.stderr, "while the next runs");
});

test("10,000 lines come in full and in few messages", async () => {
  const ran = await session.run("for (let i = 0; i < 10_000; i++) console.log('line', i)");
  assert.is(ran.stdout.split("\n").length, 10_001);
  assert.ok(ran.messages.length < 200, `${ran.messages.length} messages`);
});

test("more than that keeps head and tail and says where the rest is", async () => {
  const { stdout } = await session.run("for (let i = 0; i < 60_000; i++) console.log('line', i)");
  assert.match(stdout, /^line 0\n/);
  assert.match(stdout, /line 58500\n[\s\S]*line 59999\n$/);
  const [, lines, file] = /… ([\d,]+) lines \(.*\) left out here; all of them are in (\S+)/.exec(stdout)!;
  assert.is(stdout.split("\n").filter((line) => line.startsWith("line")).length + Number(lines!.replace(",", "")),
    60_000);
  assert.is(
    (await session.run(
      `import { readFileSync } from "node:fs"; readFileSync(${JSON.stringify(file)}, "utf8").includes("line 30000\\n")`,
    )).value,
    "true",
  );
});

test("one endless line is capped too", async () => {
  const { stdout } = await session.run("process.stdout.write('x'.repeat(5_000_000)); console.log('end')");
  assert.ok(stdout.length < 2_000_000);
  assert.match(stdout, /xend\n$/);
});

test("input asks the front end, readline too", async () => {
  const answer = (prompt: string) => `[${prompt}]`;
  assert.is((await session.run("await input('name? ')", { answer })).value, "'[name? ]'");
  assert.match((await session.run("await input('name? ')")).content.evalue, /takes no input/);
  const ran = await session.run(
    "import readline from 'node:readline/promises'; const rl = readline.createInterface(process.stdin); "
      + "const line = await rl.question('q? '); rl.close(); line",
    { answer: () => "typed" },
  );
  assert.is(ran.value, "'typed'");
});

const READS: Record<string, [code: string, value: string, questions: number]> = {
  "one question": ["const answer = await rl.question('colour? '); rl.close(); answer", "'blue 1'", 1],
  "a question, and an interface left open": ["await rl.question('colour? ')", "'blue 1'", 1],
  "two questions, and work between": [
    "const one = await rl.question('1? '); await pause(300); const two = await rl.question('2? '); await pause(300); [one, two]",
    "[ 'blue 1', 'blue 2' ]",
    2,
  ],
  "a question with a callback": [
    "await new Promise((r) => require('readline').createInterface(process.stdin).question('q? ', r))",
    "'blue 1'",
    1,
  ],
  "lines until one": [
    "const lines = []; for await (const line of rl) { lines.push(line); if (lines.length > 2) break } lines",
    "[ 'blue 1', 'blue 2', 'blue 3' ]",
    3,
  ],
  "an event": ["await new Promise((r) => process.stdin.once('data', r))", "'blue 1\\n'", 1],
  "the stream itself": ["let text = ''; for await (const part of process.stdin) { text = part; break } text",
    "'blue 1\\n'", 1],
  "an interface that nobody reads from": ["await pause(300); 'none'", "'none'", 0],
};
for (const [name, [code, value, questions]] of Object.entries(READS)) {
  test(`the front end is asked for each line that is waited for: ${name}`, async () => {
    await session.run("const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));");
    let asked = 0;
    const open =
      "const rl = require('readline/promises').createInterface({ input: process.stdin, output: process.stdout });";
    const ran = await session.run(`${open} ${code}`, { answer: () => `blue ${++asked}` });
    assert.is(ran.value, value, JSON.stringify(ran.content));
    await session.run("await pause(300); rl.close()", { answer: () => `stray ${++asked}` });
    assert.is(asked, questions);
  });
}

test("a cell that reads where the front end takes no input fails at once", async () => {
  for (const code of ["await require('readline/promises').createInterface(process.stdin).question('q? ')",
    "await new Promise((r) => process.stdin.once('data', r))"]) {
    const ran = await session.run(code);
    assert.match(ran.content.evalue, /this front end takes no input/, code);
    assert.is(ran.content.ename, "Error");
  }
});

test("comms: a target that nobody serves is closed at once", async () => {
  const messages: string[] = [];
  await session.kernel.request("shell", "comm_open", { comm_id: "c1", target_name: "nobody", data: {} },
    (message) => messages.push(message.header.msg_type)).idle;
  assert.ok(messages.includes("comm_close"));
});

test("comms: a served target receives and answers", async () => {
  const served = await session.run(
    "const host = (globalThis as any)[Symbol.for('moelab.kernel')]; host.registerCommTarget('echo', (m: "
      + "any) => { if (m.kind === 'msg') host.comm('msg', { comm_id: m.comm_id, data: { echo: m.data } }) })",
  );
  await sleep(50);
  await session.kernel.request("shell", "comm_open", { comm_id: "c2", target_name: "echo", data: {} }).idle;
  assert.equal((await session.ask("comm_info_request", {})).comms, { c2: { target_name: "echo" } });
  await session.kernel.request("shell", "comm_msg", { comm_id: "c2", data: 5 }).idle;
  const echoed = () => served.messages.find(({ header }) => header.msg_type === "comm_msg");
  await until(() => echoed() !== undefined);
  assert.equal(echoed()!.content.data, { echo: 5 });
});

test("a process.exit says why the kernel ended", async () => {
  const other = await Session.start();
  const ran = other.send("process.exit(3)");
  await until(() => other.kernel.ended !== undefined);
  assert.match(other.kernel.ended!, /code 3/);
  assert.match(ran.stderr, /called process\.exit\(3\)/);
  await ran.done.catch(() => {});
  await other.stop();
});

test.run();
