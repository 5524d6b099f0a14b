import { MoeError, suggest } from "../errors.js";
import { errorDigits, fixed, formatBytes, formatCount, formatDuration, formatMeanError,
  formatNumber } from "../format.js";

/**
 * How the values of one column are written:
 * - `"number"`: plain, with the same number of decimals in the whole column (the default for numbers)
 * - `"percent"`: a share, times 100; the sign is in the heading
 * - `"bytes"`: 7.36 MB
 * - `"count"`: 1.98B, for parameters, tokens and FLOPs
 * - `"duration"`: milliseconds as 4 min 05 s
 * - `"text"`: as it is
 * - a function of value and row
 */
export type ColumnFormat = "number" | "percent" | "bytes" | "count" | "duration" | "text"
  | ((value: unknown, row: Readonly<Record<string, unknown>>) => string);

const FORMATS = ["number", "percent", "bytes", "count", "duration", "text"];

export interface ColumnOptions {
  /** heading; default the key */
  title?: string;
  format?: ColumnFormat;
  /** stands in the heading, in brackets */
  unit?: string;
  /** decimals; default as many as the column needs for three significant digits of its largest value */
  digits?: number;
  /**
   * key of the column with the standard errors, shown as `value ± error` and not on its own; default `<key>_stderr` if
   * there is one
   */
  error?: string;
}

/** A column ready to be written: what its heading says, on which side it stands, and the text of a cell. */
export interface Column {
  key: string;
  heading: string;
  numeric: boolean;
  /** key of its standard errors */
  error?: string;
  text(row: Readonly<Record<string, unknown>>): string;
}

/** Decides once, from all values of a column, how each of them is written, so that digits stand under digits. */
export function column(
  key: string,
  options: ColumnOptions,
  rows: readonly Readonly<Record<string, unknown>>[],
): Column {
  const values = rows.map((row) => row[key]);
  const numeric = values.some(isNumber) && values.every((value) => isNumber(value) || isMissing(value));
  const format = options.format ?? (numeric ? "number" : "text");
  if (typeof format === "string" && !FORMATS.includes(format))
    throw new MoeError("unknown-format",
      `table: column "${key}" has the format "${format}". ${suggest(format, FORMATS)} A function of value `
        + "and row does as well.");
  const unit = options.unit ?? (format === "percent" ? "%" : undefined);
  const scale = format === "percent" ? 100 : 1;
  const numbers = values.filter(isNumber).map((value) => Number(value) * scale).filter(Number.isFinite);
  const errors = options.error === undefined
    ? []
    : rows.map((row) => Number(row[options.error!]) * scale).filter((error) => error > 0 && Number.isFinite(error));
  const digits = options.digits ?? (errors.length > 0 ? commonDigits(errors) : decimals(numbers));

  const number = (value: number) => {
    const text = fixed(value, digits);
    // a small value must not read as zero
    return value !== 0 && Number(text.replaceAll(",", "")) === 0 && options.digits === undefined
      ? formatNumber(value, 2)
      : text;
  };
  const text = (row: Readonly<Record<string, unknown>>): string => {
    const value = row[key];
    if (typeof format === "function") return String(format(value, row));
    if (isMissing(value)) return "–";
    if (!isNumber(value)) return plain(value);
    const error = options.error === undefined ? NaN : Number(row[options.error]);
    switch (format) {
      case "bytes":
        return formatBytes(Number(value));
      case "count":
        return formatCount(Number(value));
      case "duration":
        return formatDuration(Number(value));
      case "text":
        return plain(value);
      case "number":
      case "percent":
        if (typeof value === "bigint") return value.toLocaleString("en");
        if (!Number.isFinite(error) || row[options.error!] === null) return number(value * scale);
        // an error much smaller than the others keeps its own digits
        if (options.digits === undefined && error > 0 && errorDigits(error * scale) > digits + 1)
          return formatMeanError(value * scale, error * scale);
        return `${fixed(value * scale, digits)} ± ${fixed(error * scale, digits)}`;
    }
  };
  return { key, heading: `${options.title ?? key}${unit ? ` (${unit})` : ""}`, numeric, error: options.error, text };
}

/** The decimals that half of the standard errors give meaning to, so that digits stand under digits. */
function commonDigits(errors: number[]): number {
  const sorted = errors.map(errorDigits).sort((a, b) => a - b);
  return Math.max(0, sorted[Math.floor(sorted.length / 2)]);
}

/**
 * The decimals that the values have, if two at most; else those that give the largest value three significant digits.
 */
function decimals(values: number[]): number {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0 || values.every(Number.isInteger)) return 0;
  const needed = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(largest))));
  const own = values.reduce(
    (most, value) =>
      Math.max(most, (String(Number(value.toPrecision(12))).split(".")[1] ?? "").replace(/e.*/, "").length),
    0,
  );
  return own <= 2 ? own : Math.min(own, Math.max(1, needed));
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isMissing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** At most 80 characters, for anything that is not shown as a number. */
function plain(value: unknown): string {
  const text = cellText(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** A value in full, as one text: dates as ISO 8601, objects as JSON, missing values as nothing. */
export function cellText(value: unknown): string {
  if (isMissing(value)) return "";
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString().replace(/T00:00:00\.000Z$/, "");
  if (typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? String(inner) : inner)) ?? String(value);
  } catch {
    return String(value); // a cycle
  }
}
