import { inspect } from "node:util";
import { DISPLAY, type MimeBundle } from "./displayable.js";

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

/** The bundle of anything: its own if it can draw itself, else its text as `console.log` would print it. */
export async function bundleOf(value: unknown): Promise<MimeBundle> {
  return (await drawn(value)) ?? { data: { "text/plain": typeof value === "string" ? value : inspect(value) } };
}

/** What a value draws of itself; undefined where it has no such method, or one that gives no object. */
export async function drawn(value: unknown): Promise<MimeBundle | undefined> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return undefined;
  const object = value as Record<string | symbol, unknown>;
  for (const name of [DISPLAY, "_repr_mimebundle_"]) {
    const method = object[name];
    const made: unknown = typeof method === "function" ? await method.call(value) : undefined;
    if (typeof made === "object" && made !== null) return asBundle(made);
  }
  const data: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(REPR)) {
    const method = object[name];
    if (typeof method === "function") data[type] = (await method.call(value)) ?? undefined;
  }
  return Object.values(data).some((item) => item !== undefined) ? { data } : undefined;
}

/** A bundle with metadata, or as a pair (IPython), or just representations by MIME type (Deno). */
export function asBundle(made: object): MimeBundle {
  const [data, metadata] = Array.isArray(made)
    ? made
    : "data" in made && typeof made.data === "object"
    ? [made.data, (made as MimeBundle).metadata]
    : [made, undefined];
  return { data: { ...data }, ...(metadata ? { metadata } : {}) };
}
