import { inspect } from "node:util";
import type { ErrorReport } from "../threads.js";
import { KernelInterrupt } from "./cell.js";
import { excerpt } from "./scripts.js";

const RED = "\u001b[31m";
const PLAIN = "\u001b[39m";

/** What a front end is told of something thrown: its name, message, and stack with the lines of the cell around the place. */
export function errorReport(thrown: unknown): ErrorReport {
  if (thrown instanceof KernelInterrupt) return { ename: thrown.name, evalue: thrown.message, traceback: [`${RED}${thrown.name}${PLAIN}: ${thrown.message}`] };
  const ename = nameOf(thrown);
  const evalue = messageOf(thrown);
  const text = safeInspect(thrown);
  const coloured = text.startsWith(ename) ? `${RED}${ename}${PLAIN}${text.slice(ename.length)}` : isError(thrown) ? text : `${RED}Uncaught${PLAIN} ${text}`;
  const lines = isError(thrown) ? excerpt(String(thrown.stack)) : undefined;
  return { ename, evalue, traceback: [...coloured.split("\n"), ...(lines ? ["", ...lines.split("\n")] : [])] };
}

function isError(value: unknown): value is Error {
  return value instanceof Error || (typeof value === "object" && value !== null && typeof (value as Error).stack === "string");
}

function nameOf(thrown: unknown): string {
  if (isError(thrown)) return String(thrown.name || thrown.constructor?.name || "Error");
  return thrown === null ? "null" : typeof thrown;
}

function messageOf(thrown: unknown): string {
  return isError(thrown) ? String(thrown.message) : safeInspect(thrown);
}

/** Values with getters or proxies that throw must not hide the error that is being told. */
function safeInspect(value: unknown): string {
  try {
    return inspect(value, { depth: 4, maxArrayLength: 50, maxStringLength: 10_000 });
  } catch (error) {
    return `(cannot be shown: ${String(error)})`;
  }
}
