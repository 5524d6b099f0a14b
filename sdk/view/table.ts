import { stripVTControlCharacters } from "node:util";
import { MoeError, suggest } from "../errors.js";
import { cellText, type Column, column, type ColumnFormat, type ColumnOptions } from "./column.js";
import { toDanfo } from "./danfo.js";
import { DISPLAY, Displayed, type MimeBundle } from "./displayable.js";
import { html } from "./html.js";
import { textColumns } from "./text-columns.js";

/** a column whose cells have at most so many characters is not broken into lines */
const ONE_LINE = 36;

export type Row = Readonly<Record<string, unknown>>;

export interface TableOptions {
  /** stands above the table */
  title?: string;
  /** which columns, in which order, and how they are written; default every key in order of appearance */
  columns?: readonly string[] | Readonly<Record<string, ColumnFormat | ColumnOptions>>;
  /**
   * rows and columns drawn at most, 30 and 16 unless told; what is left out is said below the table, and is in `toCSV`
   * and `toRecords` all the same
   */
  maxRows?: number;
  maxColumns?: number;
}

/**
 * Makes a table of rows, or of columns of equal length.
 *
 * @example
 * table([{ arm: "full", em: 0.404, em_stderr: 0.0246, size: 7.36e6 }], { columns: { arm: "text", em: "percent", size:
 * "bytes" } }).toText()
 * // arm    em (%)     size
 * // ────  ──────────  ───────
 * // full  40.4 ± 2.5  7.36 MB
 */
export function table(
  data: Iterable<object> | Readonly<Record<string, ArrayLike<unknown>>>,
  options: TableOptions = {},
): Table {
  return new Table(isIterable(data) ? [...data].map(checkedRow) : rowsOf(data), options);
}

const CAPTION = "text-align: left; font-weight: bold; padding: 0.2em 0.7em";

/** Rows with named columns. Never changes: `sortBy`, `filter`, `select` and `limit` give new tables. */
export class Table extends Displayed {
  readonly #rows: readonly Row[];
  readonly #options: TableOptions;
  readonly #columns: readonly Column[];

  constructor(rows: readonly Row[], options: TableOptions = {}) {
    super();
    this.#rows = Object.freeze(rows.map((row) => Object.freeze({ ...row })));
    this.#options = options;
    this.#columns = columnsOf(this.#rows, options.columns);
  }

  /** number of rows, all of them */
  get size(): number {
    return this.#rows.length;
  }

  /** keys of the columns, in order, without those shown as standard errors of another */
  get columns(): string[] {
    return this.#columns.map(({ key }) => key);
  }

  /**
   * Sorts by a column: numbers by value, text with its numbers by value (E2 before E10), missing values last; equal
   * rows keep their order.
   */
  sortBy(key: string, order: "ascending" | "descending" = "ascending"): Table {
    this.#check("sort", key);
    const sign = order === "descending" ? -1 : 1;
    const last = (value: unknown) => value === null || value === undefined || Number.isNaN(value);
    const rows = [...this.#rows].sort((
      { [key]: a },
      { [key]: b },
    ) => (last(a) || last(b) ? Number(last(a)) - Number(last(b)) : sign * compare(a, b)));
    return new Table(rows, this.#options);
  }

  filter(keep: (row: Row) => unknown): Table {
    return new Table(this.#rows.filter((row) => keep(row)), this.#options);
  }

  /** Keeps these columns, in this order. */
  select(...keys: string[]): Table {
    for (const key of keys) this.#check("select", key);
    return new Table(this.#rows, { ...this.#options,
      columns: Object.fromEntries(keys.map((key) => [key, optionsOf(this.#options.columns, key)])) });
  }

  /** Says how much is drawn; `Infinity` for all. */
  limit({ rows, columns }: { rows?: number; columns?: number }): Table {
    return new Table(this.#rows, { ...this.#options, maxRows: rows ?? this.#options.maxRows,
      maxColumns: columns ?? this.#options.maxColumns });
  }

  /** Every row as a fresh plain object, with all its values. */
  toRecords(): Record<string, unknown>[] {
    return this.#rows.map((row) => ({ ...row }));
  }

  /** Every row and every column at full precision, quoted after RFC 4180; missing values are empty. */
  toCSV(): string {
    const keys = this.#columns.flatMap(({ key, error }) => (error === undefined ? [key] : [key, error]));
    return [keys, ...this.#rows.map((row) => keys.map((key) => cellText(row[key])))].map((cells) =>
      `${cells.map(quoted).join(",")}\n`
    ).join("");
  }

  /**
   * The table as a danfo.js DataFrame: all rows, the columns of `toCSV`.
   *
   * @throws MoeError `danfo-missing` if danfojs-node is not installed
   */
  toDanfo(): Promise<unknown> {
    const keys = this.#columns.flatMap(({ key, error }) => (error === undefined ? [key] : [key, error]));
    return toDanfo(this.#rows, keys);
  }

  /** For a terminal: columns aligned, numbers to the right. */
  toText(): string {
    const { columns, rows, left } = this.#shown();
    const cells = [columns.map(({ heading }) => heading), ...rows.map((row) => columns.map(({ text }) => text(row)))]
      .map((line) => line.map(oneLine));
    const widths = columns.map((_, i) => cells.reduce((most, line) => Math.max(most, textColumns(line[i])), 0));
    const pad = (text: string, i: number) => {
      const space = " ".repeat(widths[i] - textColumns(text));
      return columns[i].numeric ? space + text : text + space;
    };
    const lines = cells.map((line) => line.map(pad).join("  ").trimEnd());
    lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
    return [...(this.#options.title ? [oneLine(this.#options.title)] : []), ...lines, ...(left ? [left] : [])].join(
      "\n",
    );
  }

  /** Takes its colours from the page, so that it is legible on light and dark themes. */
  toHTML(): string {
    const { columns, rows, left } = this.#shown();
    const side = ({ numeric }: Column) => `text-align: ${numeric ? "right" : "left"}; padding: 0.2em 0.7em`;
    const oneLine = new Set(
      columns.filter(({ numeric, text }) => numeric || rows.every((row) => text(row).length <= ONE_LINE)),
    );
    const cell = (column: Column) => `${side(column)}; white-space: ${oneLine.has(column) ? "nowrap" : "normal"}`;
    return String(
      html`<div style="overflow-x: auto"><table style="border-collapse: collapse; font-variant-numeric: tabular-nums">${
        this.#options.title && html`<caption style="${CAPTION}">${this.#options.title}</caption>`
      }<thead><tr>${
        columns.map((column) =>
          html`<th scope="col" style="${
            side(column)
          }; vertical-align: bottom; border-bottom: 1px solid currentColor">${column.heading}</th>`
        )
      }</tr></thead><tbody>${
        rows.map((row) =>
          html`<tr>${columns.map((column) => html`<td style="${cell(column)}">${column.text(row)}</td>`)}</tr>`
        )
      }</tbody></table>${left && html`<div style="opacity: 0.75; padding: 0.2em 0.7em">${left}</div>`}</div>`,
    );
  }

  [DISPLAY](): MimeBundle {
    return { data: { "text/html": this.toHTML(), "text/plain": this.toText() } };
  }

  #shown(): { columns: readonly Column[]; rows: readonly Row[]; left: string | undefined } {
    const columns = this.#columns.slice(0, this.#options.maxColumns ?? 16);
    const rows = this.#rows.slice(0, this.#options.maxRows ?? 30);
    const left = [
      rows.length < this.size
      && `${(this.size - rows.length).toLocaleString("en")} of ${this.size.toLocaleString("en")} rows`,
      columns.length < this.#columns.length
      && `${this.#columns.length - columns.length} of ${this.#columns.length} columns`,
    ].filter(Boolean);
    if (this.size === 0) return { columns, rows, left: "no rows" };
    return { columns, rows,
      left: left.length > 0 ? `… ${left.join(" and ")} left out; .limit({ rows, columns }) shows more` : undefined };
  }

  #check(verb: string, key: string): void {
    const known = new Set(this.#columns.flatMap(({ key, error }) => (error === undefined ? [key] : [key, error])));
    if (!known.has(key))
      throw new MoeError("unknown-column",
        `${verb}: "${key}" is not a column of this table. ${suggest(key, [...known])}`);
  }
}

function columnsOf(rows: readonly Row[], wanted: TableOptions["columns"]): Column[] {
  const seen = new Set<string>();
  for (const row of rows) for (const key of Object.keys(row)) seen.add(key);
  const present = [...seen];
  const keys = wanted === undefined ? present : Array.isArray(wanted) ? (wanted as string[]) : Object.keys(wanted);
  for (const key of keys) {
    if (rows.length > 0 && !present.includes(key))
      throw new MoeError("unknown-column", `table: no row has "${key}". ${suggest(key, present)}`);
  }
  const options = new Map(keys.map((key): [string, ColumnOptions] => {
    const own = optionsOf(wanted, key);
    const error = own.error ?? (present.includes(`${key}_stderr`) ? `${key}_stderr` : undefined);
    return [key, { ...own, error }];
  }));
  const errors = new Set([...options.values()].map(({ error }) => error));
  return keys.filter((key) => !errors.has(key)).map((key) => column(key, options.get(key)!, rows));
}

function optionsOf(columns: TableOptions["columns"], key: string): ColumnOptions {
  if (columns === undefined || Array.isArray(columns)) return {};
  const own = (columns as Record<string, ColumnFormat | ColumnOptions>)[key];
  return typeof own === "object" ? own : { format: own };
}

const collator = new Intl.Collator("en", { numeric: true });

function compare(a: unknown, b: unknown): number {
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  const numeric = (value: unknown) => typeof value === "number" || typeof value === "bigint";
  if (numeric(a) && numeric(b)) return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
  if (numeric(a) !== numeric(b)) return numeric(a) ? -1 : 1;
  return collator.compare(String(a), String(b));
}

function isIterable(data: object): data is Iterable<object> {
  return Symbol.iterator in data;
}

function checkedRow(row: unknown, index: number): Row {
  if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Row;
  throw new MoeError("bad-row",
    `table: row ${index} is ${row === null ? "null" : Array.isArray(row) ? "an array" : typeof row}; `
      + `accepted is one object a row, such as { arm: "full", em: 0.4 }. Name the columns.`);
}

function rowsOf(columns: Readonly<Record<string, ArrayLike<unknown>>>): Row[] {
  const entries = Object.entries(columns);
  const length = entries[0]?.[1]?.length ?? 0;
  for (const [key, values] of entries) {
    if (typeof values?.length !== "number" || typeof values === "string")
      throw new MoeError("bad-column",
        `table: "${key}" is ${typeof values}; accepted is an array of rows, or an object of arrays.`);
    if (values.length !== length)
      throw new MoeError("bad-column",
        `table: "${key}" has ${values.length} values, "${entries[0][0]}" has ${length}; accepted is columns `
          + "of equal length.");
  }
  return Array.from({ length }, (_, i) => Object.fromEntries(entries.map(([key, values]) => [key, values[i]])));
}

/** Data must not move the cursor or break the line. */
function oneLine(text: string): string {
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}

function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
}
