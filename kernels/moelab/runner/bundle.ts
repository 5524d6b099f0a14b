import { inspect } from "node:util";
import { drawn as drawing } from "../../../sdk/view/bundle.js";
import type { Bundle } from "../threads.js";
import { isTensor, tensorText } from "./tensor-text.js";

/** Representations whose value a front end takes as JSON, not as text. */
const JSON_TYPE = /^application\/(.*\+)?json$/;

/**
 * What a front end shows of a value: what the value draws of itself, else its text.
 * @returns undefined for what nobody asks to see: undefined, timers, and objects that draw nothing
 */
export async function bundleOf(value: unknown): Promise<Bundle | undefined> {
  if (value === undefined || isTimer(value)) return undefined;
  const drawn = await drawing(value);
  if (drawn && Object.keys(drawn.data).length === 0) return undefined;
  const data = drawn?.data ?? {};
  if (!("text/plain" in data)) data["text/plain"] = isTensor(value) ? await tensorText(value) : valueText(value);
  return { data: toJson(data), metadata: plain(drawn?.metadata ?? {}) };
}

/**
 * What is shown of a promise that ends a cell and that nobody awaits: nothing where its value would show nothing.
 * @param settled its value, once it has one
 */
export async function promiseBundle(promise: unknown, settled?: { value: unknown }): Promise<Bundle | undefined> {
  if (settled && !(await bundleOf(settled.value))) return undefined;
  const hint = settled ? "(await gives the value itself)" : "(it goes on; await waits for its value)";
  return { data: { "text/plain": `${valueText(promise)}\n${hint}` }, metadata: {} };
}

/** Representations as JSON can carry them: bytes become base64. */
export function toJson(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => value !== undefined && value !== null).map(([type, value]) => {
      if (value instanceof Uint8Array)
        return [type, Buffer.from(value).toString(/^image\/svg|^text\//.test(type) ? "utf8" : "base64")];
      return [type, JSON_TYPE.test(type) ? plain(value) : typeof value === "string" ? value : String(value)];
    }),
  );
}

/** A copy that can be sent to another thread; what JSON cannot say is left out. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (_, item) => (typeof item === "bigint" ? Number(item) : item)) ?? "null");
}

const LIMITS = { depth: 4, maxStringLength: 10_000, breakLength: 100 };
const MAX_CHARS = 20_000;
/** How `inspect` says that it left something out: items, characters, or what lies deeper. */
const CUT = /\.\.\. \d+ more (items?|characters?)|(: |=> |[[,]\s+)\[(Object|Array|(?!Getter|Setter)[A-Z]\w*)\]/;

/** The text of a value; a large one is cut, with a word on how to see all of it. */
export function valueText(value: unknown): string {
  let text = "";
  for (const maxArrayLength of [100, 20, 5]) {
    text = inspect(value, { ...LIMITS, maxArrayLength });
    if (text.length <= MAX_CHARS) break;
  }
  const isLong = text.length > MAX_CHARS;
  if (isLong) text = `${text.slice(0, MAX_CHARS)}…`;
  if (typeof value === "string")
    return value.length > LIMITS.maxStringLength ? `${text}\n(cut: console.log(value) prints all of it)` : text;
  return isLong || (typeof value === "object" && CUT.test(text))
    ? `${text}\n(cut: console.dir(value, { depth: null, maxArrayLength: null, maxStringLength: null }) `
      + "prints all of it)"
    : text;
}

function isTimer(value: unknown): boolean {
  const name = (value as object | null)?.constructor?.name;
  return (name === "Timeout" || name === "Immediate") && typeof (value as NodeJS.Timeout).ref === "function"
    && typeof (value as NodeJS.Timeout).hasRef === "function";
}
