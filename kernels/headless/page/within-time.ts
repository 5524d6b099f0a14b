import { createContext, Script } from "node:vm";

const call = new Script("made = make()");

/**
 * What `make` returns, or `otherwise` when it takes too long or throws.
 * Parsers of code and Markdown take quadratic time on a few texts (a word of 70,000 characters: minutes), which no
 * limit on length alone foresees: V8 is told to stop.
 */
export function withinTime(make: () => string, otherwise: () => string, timeoutMs = 1000): string {
  const context: { make: () => string; made?: string } = { make };
  try {
    call.runInContext(createContext(context), { timeout: timeoutMs });
    return context.made!;
  } catch {
    return otherwise();
  }
}
