import { inspect } from "node:util";
import type { ErrorReport } from "../threads.js";
import { KernelInterrupt } from "./cell.js";
import { asWritten, excerpt } from "./scripts.js";

const RED = "\u001b[31m";
const PLAIN = "\u001b[39m";

/**
 * What a front end is told of something thrown: its name, message, and stack with the lines of the cell around the
 * place.
 */
export function errorReport(thrown: unknown): ErrorReport {
  if (thrown instanceof KernelInterrupt)
    return { ename: thrown.name, evalue: thrown.message,
      traceback: [`${RED}${thrown.name}${PLAIN}: ${thrown.message}`] };
  const error = attempt(() => isError(thrown), false) ? (thrown as Error) : undefined;
  const text = asWritten(
    attempt(() => inspect(thrown, { depth: 4, maxArrayLength: 50, maxStringLength: 10_000 }), UNSHOWN),
  );
  const ename = error
    ? attempt(() => String(error.name || error.constructor?.name || "Error"), "Error")
    : thrown === null
    ? "null"
    : typeof thrown;
  const evalue = error ? asWritten(attempt(() => String(error.message), UNSHOWN)) : text;
  const coloured = text.startsWith(ename)
    ? `${RED}${ename}${PLAIN}${text.slice(ename.length)}`
    : error
    ? text
    : `${RED}Uncaught${PLAIN} ${text}`;
  const lines = error && attempt(() => excerpt(String(error.stack)), undefined);
  return { ename, evalue, traceback: [...coloured.split("\n"), ...(lines ? ["", ...lines.split("\n")] : [])] };
}

const UNSHOWN = "(something that throws when it is looked at)";

function isError(value: unknown): value is Error {
  return value instanceof Error
    || (typeof value === "object" && value !== null && typeof (value as Error).stack === "string");
}

/** Getters and proxies may throw in their turn, which must not hide what is being told. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
