import { inspect } from "node:util";

/** A value in an error: short, whatever it is. @example shown({ keep: [1, 2] })  // "{ keep: [ 1, 2 ] }" */
export function shown(value: unknown): string {
  if (value === undefined) return "not there";
  if (typeof value === "string") return JSON.stringify(value.length > 70 ? `${value.slice(0, 70)}…` : value);
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 60 });
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
