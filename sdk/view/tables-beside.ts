import { DISPLAY, type Displayable, type MimeBundle } from "./displayable.js";
import type { Table } from "./table.js";

/** Tables side by side where the page is wide enough, one below the other where it is not. */
export class TablesBeside implements Displayable {
  constructor(readonly tables: readonly Table[]) {}

  toText(): string {
    return this.tables.map((one) => one.toText()).join("\n\n");
  }

  toHTML(): string {
    const parts = this.tables.map((one) => `<div style="min-width:0">${one.toHTML()}</div>`);
    return `<div style="display:flex;flex-wrap:wrap;gap:1.5em 2.5em;align-items:flex-start">${parts.join("")}</div>`;
  }

  [DISPLAY](): MimeBundle {
    return { data: { "text/html": this.toHTML(), "text/plain": this.toText() } };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toText();
  }
}
