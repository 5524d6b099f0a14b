import { randomUUID } from "node:crypto";
import { frontEnd } from "./front-end.js";
import { html } from "./html.js";

/** Texts in a notebook that grow in place. */
export interface LiveText {
  /** @param last the texts are complete: they are shown whenever the one before was */
  show(texts: readonly string[], last?: boolean): void;
}

/** How written text stands on a page: as it is, wrapped. */
export const TEXT_STYLE = "white-space: pre-wrap; overflow-wrap: anywhere; max-width: 48em";
const EVERY_MS = 80;

/** A display of the running cell, at most twelve times a second; undefined outside a notebook. */
export function liveText(): LiveText | undefined {
  const notebook = frontEnd();
  if (!notebook) return undefined;
  const id = randomUUID();
  let drawnMs = -Infinity, drawn = false;
  return {
    show(texts, last = false) {
      const now = performance.now();
      if (!last && now - drawnMs < EVERY_MS) return;
      drawnMs = now;
      const shown = texts.map((text) => html`<div style="${TEXT_STYLE}">${text}</div>`);
      notebook.show({ data: { "text/html": String(html`${shown}`), "text/plain": texts.join("\n") } }, id, drawn);
      drawn = true;
    },
  };
}
