import fc from "fast-check";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inspect } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { table } from "../../sdk/view/table.js";

const arms =
  () => [{ arm: "full", em: 0.404, em_stderr: 0.0246, size: 7.36e6 }, { arm: "m-smoe", em: 0.378, em_stderr: 0.0242,
    size: 3.82e6 }, { arm: "averaging", em: null, em_stderr: null, size: 3.82e6 }];
const fails = (run: () => unknown, code: string, message: RegExp) =>
  assert.throws(run, (error: MoeError) =>
    error instanceof MoeError && error.code === code && message.test(error.message));

test("text: units in headings, standard errors beside their means, numbers to the right", () => {
  const text = table(arms(), { title: "Held-out words", columns: { arm: "text", em: "percent", size: "bytes" } })
    .toText();
  assert.is(text,
    ["Held-out words", "arm            em (%)     size", "─────────  ──────────  ───────",
      "full       40.4 ± 2.5  7.36 MB", "m-smoe     37.8 ± 2.4  3.82 MB", "averaging           –  3.82 MB"].join("\n"));
});

test("digits are the column's: as many as its largest value needs, and no small value reads as zero", () => {
  const column = (values: number[]) =>
    table(values.map((x) => ({ x }))).toText().split("\n").slice(2).map((line) => line.trim());
  assert.equal(column([1, 20, 300]), ["1", "20", "300"]);
  assert.equal(column([0.5, 0.25, 10]), ["0.50", "0.25", "10.00"]);
  assert.equal(column([0.52731, 0.03111]), ["0.527", "0.031"]);
  assert.equal(column([1234.5678, 0.1234]), ["1,234.6", "0.1"]);
  assert.equal(column([0.51234, 0.0000213]), ["0.512", "2.1e-5"]);
  assert.equal(column([NaN, Infinity, 0.5]), ["NaN", "∞", "0.5"]);
  assert.equal(
    table([{ x: 0.12345 }], { columns: { x: { digits: 1, unit: "nats", title: "loss" } } }).toText().split("\n").map(
      (line) => line.trim()
    ),
    ["loss (nats)", "───────────", "0.1"],
  );
});

test("means and standard errors of a column have the same decimals, but for an error far smaller than the rest", () => {
  const cells = (rows: [number, number][]) =>
    table(rows.map(([x, x_stderr]) => ({ x, x_stderr }))).toText().split("\n").slice(2).map((line) => line.trim());
  assert.equal(cells([[74.73, 3.6], [40.41, 2.46], [1.5, 0.9]]), ["74.7 ± 3.6", "40.4 ± 2.5", "1.5 ± 0.9"]);
  assert.equal(cells([[74.73, 3.6], [40.41, 2.46], [1.50001, 0.0003], [2, 0]]), ["74.7 ± 3.6", "40.4 ± 2.5",
    "1.50001 ± 0.00030", "2.0 ± 0.0"]);
});

test("sorting is by number, names by the number in them, missing values last either way, and stable", () => {
  const sorted = (values: unknown[], order?: "descending") =>
    table(values.map((x, i) => ({ x, i }))).sortBy("x", order).toRecords().map(({ x }) => x);
  assert.equal(sorted([10, 9, 100, null, 1]), [1, 9, 10, 100, null]);
  assert.equal(sorted([10, NaN, 9, 100], "descending"), [100, 10, 9, NaN]);
  assert.equal(sorted(["E10", "E2", "E1"]), ["E1", "E2", "E10"]);
  assert.equal(sorted([3n, 2, 10n]), [2, 3n, 10n]);
  assert.equal(
    table([{ a: 1, b: 0 }, { a: 0, b: 1 }, { a: 1, b: 2 }]).sortBy("a", "descending").toRecords().map(({ b }) => b),
    [0, 2, 1],
  );
});

test("a table never changes, whatever is done with it, its rows or its records", () => {
  const rows = arms();
  const made = table(rows);
  const before = made.toText();
  rows[0].arm = "changed";
  made.toRecords()[1].arm = "changed";
  made.sortBy("size");
  made.select("arm").filter(({ arm }) => arm === "full").limit({ rows: 1 });
  assert.is(made.toText(), before);
});

test("what is left out is said, and is in the exports all the same", () => {
  const wide = table(
    Array.from({ length: 2000 }, (_, i) => Object.fromEntries(Array.from({ length: 40 }, (_, c) => [`c${c}`, i * c]))),
  );
  assert.match(wide.toText(), /1,970 of 2,000 rows and 24 of 40 columns left out/);
  assert.is(wide.toHTML().match(/<tr>/g)!.length, 31);
  assert.match(wide.toHTML(), /1,970 of 2,000 rows/);
  assert.is(wide.toCSV().trimEnd().split("\n").length, 2001);
  assert.is(wide.toRecords().length, 2000);
  assert.not.match(wide.limit({ rows: Infinity, columns: Infinity }).toText(), /left out/);
  assert.match(table([]).toText(), /no rows/);
});

test("html: escaped everywhere, with no colour of its own", () => {
  const markup = table([{ "<i>": "<script>alert(1)</script>" }], { title: "a & b" }).toHTML();
  assert.not.match(markup, /<script>|<i>/);
  assert.match(markup, /&lt;script&gt;.*/);
  assert.match(markup, /a &amp; b/);
  assert.match(table([{ n: 1 }]).toHTML(), /<td style="text-align: right/);
  const colours = markup.match(/(background|[^-]color|border[^:]*):[^;"]*/g) ?? [];
  for (const colour of colours) assert.match(colour, /currentColor|collapse/);
});

test("text: data can neither break the line nor steer the terminal, and wide characters line up", () => {
  const lines = table([{ a: "x\n\u001b[31my\r", b: 1 }, { a: "専門家", b: 22 }, { a: "e\u0301", b: 3 }]).toText().split(
    "\n",
  );
  assert.equal(lines, ["a        b", "──────  ──", "x y      1", "専門家  22", "e\u0301        3"]);
});

test("csv is read back as it was, by a reader of RFC 4180", () => {
  assert.is(table([{ a: "say \"hi\"", b: 0.1 + 0.2 }, { a: "x,y\nz", b: null }]).toCSV(),
    "a,b\n\"say \"\"hi\"\"\",0.30000000000000004\n\"x,y\nz\",\n");
  fc.assert(fc.property(fc.array(fc.record({ a: fc.string(), b: fc.string() }), { minLength: 1 }), (rows) => {
    assert.equal(parseCsv(table(rows).toCSV()), [["a", "b"], ...rows.map(({ a, b }) => [a, b])]);
  }));
});

test("odd values neither fail nor spread over lines", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const made = table([{ v: new Date(NaN) }, { v: new Date(0) }, { v: cycle }, { v: { n: 1n } }, { v: Symbol("s") }]);
  assert.is(made.toCSV(), "v\ninvalid date\n1970-01-01\n[object Object]\n\"{\"\"n\"\":\"\"1\"\"}\"\nSymbol(s)\n");
  assert.is(made.toText().split("\n").length, 7);
});

test("a long table is made and written without a deep stack", () => {
  const long = table({ x: new Float32Array(200_000), x_stderr: new Float32Array(200_000).fill(0.1) });
  assert.is(long.limit({ rows: Infinity }).toText().split("\n").length, 200_002);
});

function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [cell, quoted, end] of [...text.matchAll(/("(?:[^"]|"")*"|[^",\n]*)(,|\n)/g)].map((m) =>
    [m[1], m[1].startsWith("\""), m[2]] as const
  )) {
    row.push(quoted ? cell.slice(1, -1).replaceAll("\"\"", "\"") : cell);
    if (end === "\n") rows.push(row.splice(0));
  }
  return rows;
}

test("columns of arrays and typed arrays do as well as rows", () => {
  assert.equal(table({ a: ["x", "y"], b: new Float32Array([0.5, 1]) }).toRecords(), [{ a: "x", b: 0.5 }, { a: "y",
    b: 1 }]);
  fails(() => table({ a: [1, 2], b: [1] }), "bad-column", /"b" has 1 values, "a" has 2/);
});

test("keys that objects are born with are columns like any other", () => {
  assert.match(table([{ constructor: 1, toString: 2 } as object]).toText(), /constructor {2}toString/);
});

test("the bundle is html and text, and printing gives the text", () => {
  const made = table(arms());
  assert.equal(made[DISPLAY](), { data: { "text/html": made.toHTML(), "text/plain": made.toText() } });
  assert.is(inspect(made), made.toText());
  assert.is(String(made), made.toText());
});

test("errors name the column and what is near", () => {
  fails(() => table(arms()).sortBy("sise"), "unknown-column", /sort: "sise" .*Did you mean "size"/);
  fails(() => table(arms(), { columns: ["amr"] }), "unknown-column", /no row has "amr".*Did you mean "arm"/);
  fails(() => table(arms(), { columns: { size: "byte" as never } }), "unknown-format", /Did you mean "bytes"/);
  fails(() => table([1, 2] as never), "bad-row", /row 0 is number/);
});

test("danfo: a DataFrame where it is installed, an error that says how to install it where not", async () => {
  const installed = [import.meta.url, join(process.cwd(), "package.json")].some((from) => {
    try {
      return Boolean(createRequire(from).resolve("danfojs-node"));
    } catch {
      return false;
    }
  });
  const made = table(arms(), { columns: { arm: "text", em: "percent", size: "bytes" } });
  if (!installed) {
    console.log("skip: danfojs-node is not installed; only the error is tested");
    const error = await made.toDanfo().then(() => undefined, (error) => error);
    assert.is(error?.code, "danfo-missing");
    assert.match(error.message, /"xlsx": "0.18.5", "@tensorflow\/tfjs-node": "npm:@tensorflow\/tfjs@4.22.0"/);
    return;
  }
  const frame = (await made.toDanfo()) as { columns: string[]; values: unknown[][]; shape: number[] };
  assert.equal(frame.columns, ["arm", "em", "em_stderr", "size"]);
  assert.equal(frame.shape, [3, 4]);
  assert.equal(frame.values[0], ["full", 0.404, 0.0246, 7.36e6]);
});

test.run();
