import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session, until } from "../session.js";

const test = suite("hostile-cells");
let session: Session;
test.before(async () => {
  session = await Session.start();
});
test.after(() => session.stop());

const value = async (code: string) => {
  const ran = await session.run(code);
  return ran.status === "ok" ? ran.value : `${ran.content.ename}: ${ran.content.evalue}`;
};

test("values that throw when they are looked at end their cell alone", async () => {
  for (const code of ["new Proxy({}, { get() { throw new Error('seen') } })",
    "await display(new Proxy({}, { get() { throw new Error('seen') } }))",
    "({ [Symbol.for('Jupyter.display')]() { throw new Error('seen') } })",
    "({ [Symbol.for('Jupyter.display')]: () => ({ 'application/json': { toJSON() { throw new Error('seen') } } }) })",
    "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('seen') } })"])
    assert.is(await value(code), "Error: seen", code);
  assert.match(await value("throw new Proxy(new Error('p'), { get() { throw 1 } })"),
    /something that throws when it is/);
  // Node 24 shows it
  assert.match(await value("({ get [Symbol.toStringTag]() { throw new Error('seen') } })"),
    /^Error: seen$|toStringTag/);
  assert.is(await value("({ get a() { throw new Error('seen') } })"), "{ a: [Getter] }");
  assert.match(await value("let deep: any = 0; for (let i = 0; i < 1e5; i++) deep = [deep]; deep"), /^\[/);
});

test("halves of surrogate pairs pass through all that a cell gives", async () => {
  assert.is(await value("'\ud800'"), "'\\ud800'");
  assert.is((await session.run("console.log('a\udfffb')")).stdout.length, 4);
  assert.is(await value("({ '\ud800': 1 })"), "{ '\\ud800': 1 }");
});

test("code that is nested too deeply is told so, in a cell, a completion and an explanation", async () => {
  assert.match(await value("[".repeat(20_000) + "]".repeat(20_000)),
    /^Error: cell: it is nested too deeply to be read/);
  for (const type of ["complete_request", "inspect_request", "is_complete_request"])
    assert.match(
      (await session.ask(type, { code: `${"(".repeat(20_000)}x`, cursor_pos: 20_001 })).evalue ?? "too deeply",
      /too deeply/,
      type,
    );
  assert.is(await value("1 + 1"), "2");
});

test("an error that comes when its cell has ended names the cell, also when a cell has removed all listeners", async () => {
  await session.run(
    "process.removeAllListeners('uncaughtException'); process.removeAllListeners('unhandledRejection')",
  );
  const late = session.send("void new Promise((_, no) => setTimeout(() => no(new Error('too late')), 50)); 5");
  await late.done;
  assert.is(late.status, "ok");
  await until(() => /Unhandled rejection in cell \[\d+\]: .*too late/.test(late.stderr));
  const words = session.send("void new Promise((_, no) => setTimeout(() => no('words'), 50)); 6");
  await words.done;
  await until(() => /Unhandled rejection in cell \[\d+\]: .*'words'/.test(words.stderr));
  const thrown = session.send("setTimeout(() => { throw new Error('in a timer') }, 50); 7");
  await thrown.done;
  await until(() => /Uncaught exception in cell \[\d+\]: .*in a timer/.test(thrown.stderr));
  assert.is(await value("8"), "8");
});

test("a cell that takes globals away takes them from cells alone", async () => {
  await session.run("const kept = globalThis as any, all = { JSON, Promise, process, Map, Object }; 1");
  assert.is(await value("for (const name of Object.keys(all)) kept[name] = undefined; 2"), "2");
  assert.is(await value("({ a: [3] })"), "{ a: [ 3 ] }");
  assert.is(await value("await display(4)"), "");
  assert.match(await value("throw new Error('five')"), /^Error: five/);
  assert.is(await value("all.Object.assign(kept, all); 6"), "6");
});

test.run();
