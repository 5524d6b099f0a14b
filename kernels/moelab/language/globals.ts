/** Declarations of what the kernel gives to every cell. */
export const GLOBALS = `
interface MoelabDisplayHandle {
  readonly id: string;
  /** Shows something else in the same place. */
  update(value: unknown): Promise<void>;
}
/**
 * Shows a value below the cell, rich if it can draw itself.
 * @example const shown = await display(table); await shown.update(longerTable)
 */
declare const display: {
  (value: unknown, options?: { id?: string }): Promise<MoelabDisplayHandle>;
  /** Shows something else where the display with this id stands. */
  update(id: string, value: unknown): Promise<void>;
  /** Removes the output of the cell; with \`wait\`, when the next output comes. */
  clear(options?: { wait?: boolean }): void;
};
/**
 * Asks the user for a line of text.
 * @example const name = await input("name? ")
 */
declare function input(prompt?: string, options?: { password?: boolean }): Promise<string>;
`;
