import { createRequire } from "node:module";
import { inspect } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { display } from "../../sdk/view/display.js";
import { DISPLAY, type MimeBundle } from "../../sdk/view/displayable.js";
import { html } from "../../sdk/view/html.js";
import { table } from "../../sdk/view/table.js";

const HOST = Symbol.for("moelab.kernel");
const cache = createRequire(import.meta.url).cache as Record<string, unknown>;
const TSLAB = "/somewhere/node_modules/tslab/dist/jupyter.js";

test.after.each(() => {
  delete (globalThis as Record<symbol, unknown>)[HOST];
  delete cache[TSLAB];
});

test("on our kernel: one bundle, replaced in place under its id", async () => {
  const shown: { bundle: MimeBundle; id?: string; update?: boolean }[] = [];
  (globalThis as Record<symbol, unknown>)[HOST] = {
    display: (bundle: MimeBundle, options: object) => shown.push({ bundle, ...options }),
  };
  const made = table([{ a: 1 }]);
  const handle = await display(made);
  await handle.update(html`<b>${"<2>"}</b>`);
  await display("text", { id: "mine" });
  assert.equal(shown, [{ bundle: made[DISPLAY](), id: handle.id, update: false }, {
    bundle: { data: { "text/html": "<b>&lt;2&gt;</b>", "text/plain": "<2>" } },
    id: handle.id,
    update: true,
  }, { bundle: { data: { "text/plain": "text" } }, id: "mine", update: false }]);
  assert.not.equal((await display("x")).id, (await display("x")).id);
});

test("a slow update never overwrites a later one, and a failing one stops none", async () => {
  const shown: unknown[] = [];
  (globalThis as Record<symbol, unknown>)[HOST] = { display: ({ data }: MimeBundle) => shown.push(data["text/plain"]) };
  const slow = {
    [DISPLAY]: () => new Promise<MimeBundle>((done) => setTimeout(() => done({ data: { "text/plain": "slow" } }), 20)),
  };
  const broken = { [DISPLAY]: () => Promise.reject(new Error("broken")) };
  const handle = await display("first");
  const [, failed] = await Promise.allSettled([handle.update(slow), handle.update(broken), handle.update("last")]);
  assert.equal(shown, ["first", "slow", "last"]);
  assert.is(failed.status, "rejected");
});

test("on stock tslab: one bundle through the running copy's own writer", async () => {
  const written: unknown[] = [];
  cache[TSLAB] = {
    exports: { lastWriteDisplayData: (content: unknown, update: boolean) => written.push([content, update]) },
  };
  const handle = await display({
    [DISPLAY]: () => ({ data: { "text/html": "<i>1</i>" }, metadata: { "image/png": { width: 4 } } }),
  });
  await handle.update(2);
  assert.equal(written, [[{ data: { "text/html": "<i>1</i>" }, metadata: { "image/png": { width: 4 } },
    transient: { display_id: handle.id } }, false], [{ data: { "text/plain": "2" }, metadata: {},
    transient: { display_id: handle.id } }, true]]);
});

test("elsewhere: the text on stdout", async () => {
  const lines: unknown[] = [];
  const log = console.log;
  console.log = (line: unknown) => lines.push(line);
  try {
    await (await display(table([{ a: 1 }]))).update([1, 2]);
  } finally {
    console.log = log;
  }
  assert.equal(lines, ["a\n─\n1", "[ 1, 2 ]"]);
});

test("a handle as the last value of a cell shows nothing more", async () => {
  (globalThis as Record<symbol, unknown>)[HOST] = { display() {} };
  const handle = await display(1);
  assert.equal(handle[DISPLAY](), { data: {} });
  assert.is(inspect(handle) + String(handle), "");
});

test.run();
