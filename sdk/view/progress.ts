import { randomUUID } from "node:crypto";
import { formatCount, formatDuration } from "../format.js";
import { kernelHost, type MimeBundle } from "./displayable.js";
import { frontEnd } from "./front-end.js";
import { html } from "./html.js";

export interface ProgressOptions {
  /** what is being done: "profile" */
  label: string;
  /** how many units there are; absent if nobody knows */
  total?: number;
  /** what is counted: "tokens" */
  unit?: string;
  /** when it aborts, the display says "stopped" and stays as it is; default the notebook's stop button */
  signal?: AbortSignal;
}

/** A display of how far something is. It never throws and never changes what is being done. */
export interface Progress {
  /** Counts `n` more units (negative: fewer); the note stands at the end of the line, such as the loss. */
  advance(n?: number, note?: string): void;
  done(note?: string): void;
  fail(error: unknown): void;
}

/** How far something is, at one moment. */
export interface ProgressState {
  label: string;
  total?: number;
  unit: string;
  count: number;
  elapsedMs: number;
  state: "running" | "done" | "failed" | "stopped";
  note: string;
}

/**
 * Shows how far something long is, with its rate and the time that remains.
 * In a notebook one display changes in place, at most five times a second; on a terminal one line is rewritten; in a
 * log
 * file a line is added every 15 seconds, and none at all for what is quicker. `MOELAB_PROGRESS=0` turns it off.
 * It draws when `advance` is called, so it needs no timer and works in a loop that never yields.
 *
 * @example
 * const bar = progress({ label: "profile", total: tokens, unit: "tokens", signal });
 * for (const batch of batches) { …; bar.advance(batch.length); }
 * bar.done();
 */
export function progress({ label, total, unit = "", signal = kernelHost()?.signal }: ProgressOptions): Progress {
  if (process.env.MOELAB_PROGRESS === "0") return { advance() {}, done() {}, fail() {} };
  const { draw, everyMs } = surface();
  const startedMs = performance.now();
  const now: ProgressState = { label, total, unit, count: 0, elapsedMs: 0, state: "running", note: "" };
  let drawnMs = -Infinity;
  const show = () => {
    now.elapsedMs = performance.now() - startedMs;
    if (now.state === "running" && startedMs + now.elapsedMs - drawnMs < everyMs) return;
    drawnMs = startedMs + now.elapsedMs;
    draw({ ...now });
  };
  const end = (state: ProgressState["state"], note: string) => {
    if (now.state !== "running") return;
    signal?.removeEventListener("abort", stop);
    Object.assign(now, { state, note });
    show();
  };
  const stop = () => end("stopped", now.note);
  signal?.addEventListener("abort", stop, { once: true });
  show();
  return {
    advance(n = 1, note = now.note) {
      if (now.state !== "running") return;
      now.count += n;
      now.note = note;
      show();
      if (signal?.aborted) stop();
    },
    done: (note = now.note) => end("done", note),
    fail: (error) => end("failed", error instanceof Error ? error.message : String(error)),
  };
}

/** Where this process shows progress, and how often it may change there. */
function surface(): { draw(state: ProgressState): void; everyMs: number } {
  const notebook = frontEnd();
  if (notebook) {
    const id = randomUUID();
    let drawn = false;
    return {
      everyMs: 200,
      draw(state) {
        notebook.show(progressBundle(state), id, drawn);
        drawn = true;
      },
    };
  }
  const out = process.stderr;
  if (out.isTTY) {
    return {
      everyMs: 100,
      draw: (state) =>
        out.write(
          `\r\u001b[2K${progressText(state).slice(0, (out.columns || 80) - 1)}${state.state === "running" ? "" : "\n"}`,
        ),
    };
  }
  let lines = 0;
  return {
    everyMs: 15_000,
    draw(state) {
      // the first call comes at the start, and a quick end is nobody's news; a failure always is
      const due = state.state === "running" ? state.elapsedMs >= 15_000 : lines > 0 || state.state === "failed";
      if (due) lines = (out.write(`${progressText(state)}\n`), lines + 1);
    },
  };
}

/** @example progressText(…)  // "profile  62 %  40,632 / 65,536 tokens  8.12k tokens/s  3.1 s left  loss 2.31" */
export function progressText({ label, total, unit, count, elapsedMs, state, note }: ProgressState): string {
  const share = total ? Math.min(1, Math.max(0, count / total)) : undefined;
  const amount = `${count.toLocaleString("en")}${total === undefined ? "" : ` / ${total.toLocaleString("en")}`}${
    unit && ` ${unit}`
  }`;
  const perMs = elapsedMs > 0 ? count / elapsedMs : 0;
  const time = {
    running: share !== undefined && perMs > 0 ? `${formatDuration(Math.max(0, total! - count) / perMs)} left` : "",
    done: `done in ${formatDuration(elapsedMs)}`,
    failed: `failed after ${formatDuration(elapsedMs)}`,
    stopped: `stopped after ${formatDuration(elapsedMs)}`,
  }[state];
  return [label, share === undefined ? "" : `${Math.floor(share * 100)} %`, amount,
    perMs > 0 ? `${formatCount(Number((perMs * 1000).toPrecision(3)))}${unit ? ` ${unit}` : ""}/s` : "", time,
    note.replace(/\s+/g, " ")].filter(Boolean).join("  ");
}

/** The bar for a notebook: its colours are the page's own. */
export function progressBundle(state: ProgressState): MimeBundle {
  const text = progressText(state);
  const known = state.total !== undefined && state.total > 0;
  const percent = known ? Math.min(100, Math.max(0, (state.count / state.total!) * 100)).toFixed(1) : "0";
  const frame =
    "display: inline-block; width: 12em; height: 0.7em; border: 1px solid currentColor; vertical-align: middle";
  const filled = `display: block; width: ${percent}%; height: 100%; background: currentColor; opacity: 0.6`;
  const bar = known && html`<span style="${frame}"><span style="${filled}"></span></span> `;
  return {
    data: { "text/html": String(html`<div style="font-variant-numeric: tabular-nums">${bar}${text}</div>`),
      "text/plain": text },
  };
}
