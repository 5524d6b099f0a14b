import { TemplateError } from "./budget.js";
import { fixed } from "./format.js";
import { strip } from "./string-methods.js";
import { Float, isNumber, isWhole, number, refuse, truth, typeName, Undefined, type Value, whole } from "./values.js";

function fail(message: string): never {
  throw new TemplateError(message);
}

/** The filter int. */
export function toWhole(value: Value, standard: Value, base: Value): Value {
  if (value instanceof Undefined) refuse(value);
  if (isWhole(value)) return Number(value);
  if (value instanceof Float) return Number.isFinite(value.value) ? Math.trunc(value.value) : standard;
  if (typeof value !== "string") return standard;
  const digits = strip(value, null, true, true).replace(/(?<=[\da-z])_(?=[\da-z])/gi, "");
  const radix = whole(base);
  const [, sign, prefix, body] = /^([+-]?)(0[xob])?([\da-z]+)$/i.exec(digits) ?? [];
  const named = prefix && { x: 16, o: 8, b: 2 }[prefix[1].toLowerCase()];
  if (body !== undefined && (!prefix || named === radix) && [...body].every((char) => parseInt(char, 36) < radix))
    return (sign === "-" ? -1 : 1) * parseInt(body, radix) + 0;
  const fraction = toFloat(value);
  return fraction === undefined || !Number.isFinite(fraction) ? standard : Math.trunc(fraction);
}

/** A number, or one that a text says; undefined for anything else. */
export function toFloat(value: Value): number | undefined {
  if (value instanceof Undefined) refuse(value);
  if (isNumber(value)) return number(value);
  if (typeof value !== "string") return undefined;
  const digits = strip(value, null, true, true).replace(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits)) return Number(digits);
  const [, sign, word] = /^([+-]?)(inf|infinity|nan)$/i.exec(digits) ?? [];
  return word === undefined ? undefined : (sign === "-" ? -1 : 1) * (word[0].toLowerCase() === "n" ? NaN : Infinity);
}

/** The filter round. */
export function round(value: Value, precision: number, method: string): Value {
  if (!isNumber(value)) fail(`type ${typeName(value)} has no rounding`);
  if (!["common", "ceil", "floor"].includes(method)) fail("method must be common, ceil or floor");
  if (method !== "common") {
    const scaled = number(value) * 10 ** precision;
    return new Float((method === "ceil" ? Math.ceil(scaled) : Math.floor(scaled)) / 10 ** precision);
  }
  if (isWhole(value) && precision >= 0) return Number(value);
  const rounded = precision >= 0
    ? Number(fixed(number(value), Math.min(100, precision)))
    : Number(fixed(number(value) * 10 ** precision, 0)) * 10 ** -precision;
  return isWhole(value) ? rounded : new Float(rounded);
}

/** The filter filesizeformat. */
export function fileSize(value: Value, isBinary: Value): string {
  const base = truth(isBinary) ? 1024 : 1000;
  const bytes = toFloat(value) ?? fail("a size is not a number");
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const units = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
  const power = Math.max(1, Math.min(8, Math.floor(Math.log(bytes) / Math.log(base) + 1e-9)));
  const unit = truth(isBinary) ? `${units[power - 1].toUpperCase()}iB` : `${units[power - 1]}B`;
  return `${fixed(bytes / base ** power, 1)} ${unit}`;
}
