import { DISPLAY, Displayed, type MimeBundle } from "./displayable.js";
import type { Table } from "./table.js";

/** What shows itself as a table. */
export abstract class Tabular extends Displayed {
  abstract table(): Table;

  toText(): string {
    return this.table().toText();
  }

  [DISPLAY](): MimeBundle | Promise<MimeBundle> {
    return this.table()[DISPLAY]();
  }
}
