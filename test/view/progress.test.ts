import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MimeBundle } from "../../sdk/view/displayable.js";
import { progress, progressBundle, type ProgressState, progressText } from "../../sdk/view/progress.js";

const HOST = Symbol.for("moelab.kernel");
const setting = process.env.MOELAB_PROGRESS;

test.before.each(() => {
  delete process.env.MOELAB_PROGRESS;
});
test.after.each(() => {
  delete (globalThis as Record<symbol, unknown>)[HOST];
  if (setting !== undefined) process.env.MOELAB_PROGRESS = setting;
});

function notebook() {
  const shown: { text: string; id: string; update: boolean }[] = [];
  (globalThis as Record<symbol, unknown>)[HOST] = {
    display: ({ data }: MimeBundle, { id, update }: { id: string; update: boolean }) =>
      shown.push({ text: String(data["text/plain"]), id, update }),
  };
  return shown;
}

/** Catches what goes to stderr while `run` runs. */
function stderr(run: () => void, isTTY: boolean): string {
  const { write, isTTY: was } = process.stderr;
  let text = "";
  process.stderr.write = ((chunk: string) => Boolean(text += chunk)) as never;
  process.stderr.isTTY = isTTY;
  try {
    run();
  } finally {
    process.stderr.write = write;
    process.stderr.isTTY = was;
  }
  return text;
}

const state = (more: Partial<ProgressState>): ProgressState => ({ label: "profile", total: 65_536, unit: "tokens",
  count: 40_632, elapsedMs: 5000, state: "running", note: "", ...more });

test("says share, amount, rate, time left and note", () => {
  assert.is(progressText(state({ note: "loss 2.31" })),
    "profile  61 %  40,632 / 65,536 tokens  8.13k tokens/s  3.1 s left  loss 2.31");
  assert.is(progressText(state({ total: undefined, unit: "" })), "profile  40,632  8.13k/s");
  assert.is(progressText(state({ count: 65_536, state: "done" })),
    "profile  100 %  65,536 / 65,536 tokens  13.1k tokens/s  done in 5.0 s");
  assert.is(progressText(state({ state: "failed", note: "out of\nmemory" })),
    "profile  61 %  40,632 / 65,536 tokens  8.13k tokens/s  failed after 5.0 s  out of memory");
  assert.is(progressText(state({ count: 0, elapsedMs: 0 })), "profile  0 %  0 / 65,536 tokens");
});

test("the bar is as long as the share, escaped, and takes the page's colours", () => {
  const markup = String(progressBundle(state({ count: 32_768, label: "<b>" })).data["text/html"]);
  assert.match(markup, /width: 50\.0%/);
  assert.match(markup, /&lt;b&gt;/);
  assert.not.match(markup, /#[0-9a-f]{3}|white|black/);
  assert.match(String(progressBundle(state({ count: 1e9 })).data["text/html"]), /width: 100\.0%/);
});

test("in a notebook one display changes in place, at most five times a second, and ends with the end", () => {
  const shown = notebook();
  const started = performance.now();
  const bar = progress({ label: "count", total: 100_000 });
  for (let i = 0; i < 100_000; i++) bar.advance();
  bar.done("over");
  const most = 2 + Math.ceil((performance.now() - started) / 200);
  assert.ok(shown.length >= 2 && shown.length <= most, `${shown.length} updates, at most ${most}`);
  assert.is(new Set(shown.map(({ id }) => id)).size, 1);
  assert.equal(shown.map(({ update }) => update), shown.map((_, i) => i > 0));
  assert.match(shown.at(-1)!.text, /100 % {2}100,000 \/ 100,000 .*done in .* over$/);
});

test("the first end counts; a failure says why; an abort says stopped", () => {
  const shown = notebook();
  const failed = progress({ label: "a", total: 2 });
  failed.fail(new Error("no memory"));
  failed.done();
  failed.advance();
  assert.match(shown.at(-1)!.text, /failed after .*no memory/);
  const controller = new AbortController();
  const stopped = progress({ label: "b", total: 2, signal: controller.signal });
  controller.abort();
  assert.match(shown.at(-1)!.text, /stopped after/);
  const before = shown.length;
  stopped.advance();
  stopped.done();
  assert.is(shown.length, before);
});

test("the notebook's stop button stops it too", () => {
  const shown = notebook();
  const controller = new AbortController();
  Object.assign((globalThis as Record<symbol, object>)[HOST], { signal: controller.signal });
  progress({ label: "a", total: 2 });
  controller.abort();
  assert.match(shown.at(-1)!.text, /stopped after/);
});

test("a terminal's line is rewritten and ends with a line break", () => {
  const text = stderr(() => {
    const bar = progress({ label: "count", total: 2 });
    bar.advance(2);
    bar.done();
  }, true);
  assert.match(text, /^\r\u001b\[2Kcount {2}0 %/);
  assert.match(text, /done in \d+ ms\n$/);
});

test("a log file gets nothing of what is quick, but failures", () => {
  assert.is(stderr(() => {
    const bar = progress({ label: "a", total: 1 });
    bar.advance();
    bar.done();
  }, false), "");
  assert.match(stderr(() => progress({ label: "a" }).fail("broken"), false), /^a {2}0 .*failed after .*broken\n$/);
});

test("MOELAB_PROGRESS=0 turns it off everywhere", () => {
  process.env.MOELAB_PROGRESS = "0";
  const shown = notebook();
  const bar = progress({ label: "a", total: 1 });
  bar.advance();
  bar.fail("x");
  assert.is(shown.length, 0);
  assert.is(stderr(() => progress({ label: "a" }).fail("x"), true), "");
});

test.run();
