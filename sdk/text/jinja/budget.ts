/** An error of a template, or of what it does: the caller says it as a MoeError. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** Some seconds of work. The longest published template takes some 20 thousand steps for a conversation. */
const MAX_STEPS = 10_000_000;
/** Characters of one text; a template that makes more is out of control. */
const MAX_TEXT = 1 << 24;
/** Characters that cost one step: what is alive at once stays below a gigabyte. */
const TEXT_PER_STEP = 64;

let left = 0;

/** Runs a rendering with a fresh budget of steps. Renderings are synchronous and do not nest. */
export function withBudget<T>(render: () => T): T {
  left = MAX_STEPS;
  try {
    return render();
  } catch (error) {
    if (error instanceof RangeError) throw new TemplateError(`the template goes too deep or too far: ${error.message}`);
    throw error;
  }
}

/** @throws TemplateError when the rendering has taken all its steps */
export function spend(steps = 1): void {
  left -= steps;
  if (!(left >= 0)) throw new TemplateError(`the template takes more than ${MAX_STEPS} steps`);
}

/** Pays for a text before it is made. */
export function spendText(length: number): void {
  if (length > MAX_TEXT)
    throw new TemplateError(`the template makes a text of ${length} characters, above ${MAX_TEXT}`);
  spend(Math.max(0, Math.floor(length / TEXT_PER_STEP)));
}
