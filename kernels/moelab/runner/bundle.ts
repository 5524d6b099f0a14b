import { inspect, types } from "node:util";
import type { Bundle } from "../threads.js";
import { isTensor, tensorText } from "./tensor-text.js";

const DISPLAY = Symbol.for("Jupyter.display");

/** Methods by which objects of other libraries draw themselves. */
const REPR: Record<string, string> = {
  _repr_html_: "text/html",
  _repr_markdown_: "text/markdown",
  _repr_latex_: "text/latex",
  _repr_svg_: "image/svg+xml",
  _repr_png_: "image/png",
  _repr_jpeg_: "image/jpeg",
  _repr_json_: "application/json",
};

/** Representations whose value a front end takes as JSON, not as text. */
const JSON_TYPE = /^application\/(.*\+)?json$/;

/**
 * What a front end shows of a value: what the value draws of itself, else its text.
 * @returns undefined for what nobody asks to see: undefined, promises, timers, and objects that draw nothing
 */
export async function bundleOf(value: unknown): Promise<Bundle | undefined> {
  if (value === undefined || types.isPromise(value) || isTimer(value)) return undefined;
  const drawn = await draw(value);
  if (drawn && Object.keys(drawn.data).length === 0) return undefined;
  const data = drawn?.data ?? {};
  if (!("text/plain" in data)) data["text/plain"] = isTensor(value) ? await tensorText(value) : valueText(value);
  return { data: toJson(data), metadata: plain(drawn?.metadata ?? {}) };
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

async function draw(value: unknown): Promise<
  { data: Record<string, unknown>; metadata?: Record<string, unknown> } | undefined
> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return undefined;
  const object = value as Record<string | symbol, unknown>;
  for (const name of [DISPLAY, "_repr_mimebundle_"]) {
    const method = object[name];
    if (typeof method !== "function") continue;
    const made = await method.call(value);
    if (typeof made !== "object" || made === null) continue;
    // a bundle with metadata, or (as Deno has it) just representations by MIME type
    const [data, metadata] = Array.isArray(made)
      ? made
      : "data" in made && typeof made.data === "object"
      ? [made.data, made.metadata]
      : [made, {}];
    return { data: { ...data }, metadata };
  }
  const data: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(REPR)) {
    const method = object[name];
    if (typeof method === "function") data[type] = (await method.call(value)) ?? undefined;
  }
  return Object.values(data).some((item) => item !== undefined) ? { data } : undefined;
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
