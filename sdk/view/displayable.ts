import { inspect } from "node:util";

/** What a notebook shows: representations of one thing by MIME type, and their metadata. */
export interface MimeBundle {
  data: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

/** Objects with this method draw themselves when they are the last value of a cell. */
export const DISPLAY = Symbol.for("Jupyter.display");

export interface Displayable {
  [DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

/** What draws itself in a notebook, and is its text in a terminal and as a string. */
export abstract class Displayed implements Displayable {
  abstract [DISPLAY](): MimeBundle | Promise<MimeBundle>;
  abstract toText(): string;

  toString(): string {
    return this.toText();
  }

  [inspect.custom](): string {
    return this.toText();
  }
}

/**
 * What our kernel offers to code in its process, at `globalThis[Symbol.for("moelab.kernel")]`.
 * Absent elsewhere (stock tslab, a plain Node program).
 */
export interface KernelHost {
  display(bundle: MimeBundle, options?: { id?: string; update?: boolean }): void;
  /** aborts when the running cell is interrupted */
  readonly signal: AbortSignal;
  input(prompt: string): Promise<string>;
}

export function kernelHost(): KernelHost | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for("moelab.kernel")] as KernelHost | undefined;
}
