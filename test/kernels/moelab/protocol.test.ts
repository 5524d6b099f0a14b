import { createHmac } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KernelClient } from "../../../kernels/headless/kernel-client.js";
import { moelabSpec } from "../../../kernels/headless/kernel-spec.js";
import { Wire } from "../../../kernels/moelab/wire.js";
import { Session, sleep } from "../session.js";

const test = suite("protocol");
let session: Session;
test.before(async () => {
  session = await Session.start();
});
test.after(() => session.stop());

const types = (ran: { messages: { header: { msg_type: string } }[] }) =>
  ran.messages.map(({ header }) => header.msg_type);

test("kernel_info says what works", async () => {
  const info = await session.ask("kernel_info_request", {});
  assert.is(info.status, "ok");
  assert.is(info.language_info.codemirror_mode, "typescript");
  assert.is(info.language_info.file_extension, ".ts");
  assert.equal(info.supported_features, []);
  assert.ok(info.help_links.length > 0);
});

test("a cell's messages come in order", async () => {
  assert.equal(types(await session.run("console.log(1); 2")), ["status", "execute_input", "stream", "execute_result",
    "status"]);
  assert.equal(types(await session.run("1", { silent: true })), ["status", "status"]);
});

test("the count follows store_history", async () => {
  const counts = [];
  for (const storeHistory of [true, false, true])
    counts.push((await session.run("1", { storeHistory })).content.execution_count);
  assert.is(counts[2], counts[0] + 1);
});

test("user expressions, right and wrong", async () => {
  const { content } = await session.run("const five = 5", {
    userExpressions: { good: "five + 1", bad: "six", thrown: "(() => { throw new Error('t') })()" },
  });
  assert.equal(content.user_expressions.good, { status: "ok", data: { "text/plain": "6" }, metadata: {} });
  assert.is(content.user_expressions.bad.ename, "TypeScriptError");
  assert.is(content.user_expressions.thrown.evalue, "t");
});

test("an error aborts what waits behind it, unless told otherwise", async () => {
  const failing = session.send("throw new Error('first')");
  const waiting = session.send("1");
  await Promise.all([failing.done, waiting.done]);
  assert.equal([failing.status, waiting.status], ["error", "aborted"]);
  assert.equal(types(waiting), ["status", "status"]);
  const going = session.send("throw new Error('second')", { stopOnError: false });
  const next = session.send("1");
  await Promise.all([going.done, next.done]);
  assert.is(next.status, "ok");
});

test("a request sent right after an error's reply runs", async () => {
  await session.run("throw new Error('x')");
  assert.is((await session.run("'runs'")).value, "'runs'");
});

test("is_complete", async () => {
  const expected = { "1+1": "complete", "function f() {": "incomplete", "const a = )": "invalid", "`abc": "incomplete",
    "/* abc": "incomplete", "const a = [1,": "incomplete", "if (x) {\n  y(": "incomplete" };
  for (const [code, status] of Object.entries(expected))
    assert.is((await session.ask("is_complete_request", { code })).status, status, code);
  assert.is((await session.ask("is_complete_request", { code: "if (x) {\n  y(" })).indent, "    ");
});

test("history: tail, range, search, output", async () => {
  await session.run("'needle one'");
  await session.run("'needle two'");
  const tail = await session.ask("history_request", { hist_access_type: "tail", n: 1, output: false, raw: true });
  assert.is(tail.history[0][2], "'needle two'");
  const found = await session.ask("history_request", { hist_access_type: "search", pattern: "*needle o*", n: 5,
    output: true, raw: true });
  assert.equal(found.history[0][2], ["'needle one'", null]);
  const [, line] = tail.history[0];
  const range = await session.ask("history_request", { hist_access_type: "range", session: 0, start: line - 1,
    stop: line + 1, output: false, raw: true });
  assert.is(range.history.length, 2);
});

test("queries answer while a cell blocks", async () => {
  await session.run("const objekt = { alpha: 1, beta: 2 };");
  const blocked = session.send("const end = Date.now() + 4000; while (Date.now() < end);");
  await sleep(500);
  const asked = Promise.all([session.ask("kernel_info_request", {}),
    session.ask("complete_request", { code: "objekt.", cursor_pos: 7 }),
    session.ask("inspect_request", { code: "objekt", cursor_pos: 3, detail_level: 0 }),
    session.ask("is_complete_request", { code: "1" }),
    session.ask("history_request", { hist_access_type: "tail", n: 1 }), session.ask("comm_info_request", {})]);
  const [, completed] = await asked;
  assert.is(blocked.status, "", "the cell still blocks when all have been answered");
  assert.equal(completed.matches, ["alpha", "beta"]);
  await blocked.done;
});

test("wrong signatures and repeated messages have no effect", async () => {
  await session.run("let touched = 0");
  const wire = new Wire(session.kernel.connection.key);
  const content = { code: "touched++", silent: true, store_history: false, user_expressions: {}, allow_stdin: false,
    stop_on_error: true };
  const forged = new Wire("another key").pack({ header: wire.header("execute_request"), content });
  const genuine = wire.pack({ header: wire.header("execute_request"), content });
  await session.kernel.sendRaw("shell", forged);
  await session.kernel.sendRaw("shell", [Buffer.from("<IDS|MSG>"), Buffer.from("x")]);
  await session.kernel.sendRaw("shell", genuine);
  await session.kernel.sendRaw("shell", genuine);
  assert.is((await session.run("touched")).value, "1");
});

const wireOf = ({ kernel }: Session) => new Wire(kernel.connection.key);

test("message types that are names of Object.prototype have no effect", async () => {
  const wire = wireOf(session);
  for (const type of [...Object.getOwnPropertyNames(Object.prototype), "", "nobody_request"]) {
    for (const channel of ["shell", "control"] as const)
      await session.kernel.sendRaw(channel, wire.pack({ header: wire.header(type), content: {} }));
  }
  assert.is((await session.run("'still here'")).value, "'still here'");
});

test("fields of another kind get an error, whatever the message", async () => {
  const odd: unknown[] = [5, true, [1], { toString: 1 }, { ["__proto__"]: null, valueOf: 2 }, null];
  const fields = { code: odd, cursor_pos: ["x", {}, -1, 1e308, null], detail_level: odd, user_expressions: odd,
    pattern: odd, n: odd, session: odd, start: odd, stop: odd, hist_access_type: ["search", {}], comm_id: odd,
    target_name: odd, value: odd };
  const messages = ["complete_request", "inspect_request", "is_complete_request", "history_request",
    "comm_info_request", "execute_request", "comm_open", "comm_msg", "comm_close", "input_reply"];
  const wire = wireOf(session);
  for (const type of messages) {
    for (const [name, values] of Object.entries(fields)) {
      for (const value of values) {
        const content = { hist_access_type: "search", comm_id: "c", target_name: "t", [name]: value };
        await session.kernel.sendRaw("shell", wire.pack({ header: wire.header(type), content }));
      }
    }
  }
  assert.equal((await session.ask("history_request", { hist_access_type: "search", pattern: { toString: 1 } })).evalue,
    "history_request: pattern is of type object; accepted is string.");
  assert.is((await session.ask("execute_request", { code: 5 })).evalue,
    "execute_request: code is of type number; accepted is string.");
  assert.is((await session.run("'still here'")).value, "'still here'");
});

test("a header that nests without end does not come back", async () => {
  const wire = wireOf(session);
  const header = { ...wire.header("kernel_info_request"), deep: "DEEP" };
  const [deep, parts] = ["[".repeat(100_000) + "]".repeat(100_000), wire.pack({ header, content: {} })];
  const texts = parts.slice(2).map((part) => Buffer.from(Buffer.from(part).toString().replace("\"DEEP\"", deep)));
  const mac = createHmac("sha256", session.kernel.connection.key);
  for (const text of texts) mac.update(text);
  await session.kernel.sendRaw("shell", [parts[0]!, Buffer.from(mac.digest("hex")), ...texts]);
  assert.is((await session.run("'still here'")).value, "'still here'");
});

test("a history search with many stars is answered at once", async () => {
  await session.run(`// ${"a".repeat(20_000)}\n1`);
  const started = Date.now();
  const search = (pattern: string) =>
    session.ask("history_request", { hist_access_type: "search", pattern, output: false, raw: true, n: 10 });
  assert.equal((await search(`${"*a".repeat(12)}z`)).history, []);
  assert.is((await search(`${"*a".repeat(12)}*1`)).history.length, 1);
  assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
});

test("shutdown ends the process, also in the middle of a loop", async () => {
  const other = await KernelClient.start(moelabSpec(), session.folder);
  void other.execute("while (true) {}");
  await sleep(500);
  await other.stop();
  assert.ok(other.ended);
});

test.run();
