import { inspect } from "node:util";
import { DISPLAY, type Displayable, type MimeBundle } from "./displayable.js";

/** The bundle of anything: its own if it can draw itself, else its text as `console.log` would print it. */
export async function bundleOf(value: unknown): Promise<MimeBundle> {
  if (isDisplayable(value)) return value[DISPLAY]();
  return { data: { "text/plain": typeof value === "string" ? value : inspect(value) } };
}

export function isDisplayable(value: unknown): value is Displayable {
  return value !== null && (typeof value === "object" || typeof value === "function")
    && typeof (value as Partial<Displayable>)[DISPLAY] === "function";
}
