import { randomUUID } from "node:crypto";
import { bundleOf } from "./bundle.js";
import { DISPLAY, Displayed, type MimeBundle } from "./displayable.js";
import { frontEnd } from "./front-end.js";

export interface DisplayOptions {
  /** an id of your own, to update the display from elsewhere; default a fresh one */
  id?: string;
}

/** What `display` has shown. It draws nothing itself, so a cell that ends in `await display(x)` shows x once. */
export class DisplayHandle extends Displayed {
  #last: Promise<void> = Promise.resolve();

  constructor(readonly id: string) {
    super();
  }

  /**
   * Shows something else in the same place; outside a notebook, below it. Updates are shown in the order of the calls.
   */
  update(value: unknown): Promise<void> {
    const next = this.#last.then(() => show(value, this.id, true));
    this.#last = next.catch(() => {});
    return next;
  }

  [DISPLAY](): MimeBundle {
    return { data: {} };
  }

  toText(): string {
    return "";
  }
}

/**
 * Shows a value: in a notebook as rich output, on our kernel and on stock tslab alike; elsewhere its text on stdout.
 *
 * @example
 * const shown = await display(table(rows));
 * await shown.update(table(moreRows));
 */
export async function display(value: unknown, { id = randomUUID() }: DisplayOptions = {}): Promise<DisplayHandle> {
  await show(value, id, false);
  return new DisplayHandle(id);
}

async function show(value: unknown, id: string, update: boolean): Promise<void> {
  const bundle = await bundleOf(value);
  const notebook = frontEnd();
  if (notebook) notebook.show(bundle, id, update);
  else if ("text/plain" in bundle.data) console.log(String(bundle.data["text/plain"]));
}
