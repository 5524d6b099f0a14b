import { readdirSync, readFileSync } from "node:fs";
import * as v from "valibot";
import { FormatError, MoeError, suggest } from "../errors.js";
import { packageFile } from "../package-file.js";
import { parsed } from "../parsed.js";

const Cell = v.union([v.pipe(v.number(), v.finite()), v.string(), v.null()]);

const Table = v.pipe(
  v.strictObject({ name: v.pipe(v.string(), v.nonEmpty()), source: v.string(), metric: v.string(),
    columns: v.array(v.string()), rows: v.array(v.array(Cell)) }),
  v.check(({ columns, rows }) => rows.every((row) => row.length === columns.length),
    "every row has one cell per column"),
);

/** File `data/papers/SLUG.json`: what a paper claims and prints, as read in the source that each entry names. */
export const PrintedPaperSchema = v.strictObject({
  slug: v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/)),
  title: v.string(),
  arxiv: v.string(),
  venue: v.string(),
  year: v.pipe(v.number(), v.integer()),
  /** official code as owner/name; null: none */
  code: v.nullable(v.string()),
  claims: v.array(
    v.strictObject({ claim: v.string(), metric: v.string(), value: v.pipe(v.number(), v.finite()), unit: v.string(),
      source: v.string() }),
  ),
  tables: v.pipe(v.array(Table),
    v.check((tables) => new Set(tables.map(({ name }) => name)).size === tables.length, "no two tables have one name")),
});

export type PrintedPaper = v.InferOutput<typeof PrintedPaperSchema>;
export type PrintedTable = PrintedPaper["tables"][number];

/** Slugs of all papers, in alphabetical order. */
export function paperSlugs(): string[] {
  return readdirSync(packageFile("data/papers")).filter((name) => name.endsWith(".json")).map((name) =>
    name.slice(0, -".json".length)
  ).sort();
}

/**
 * Loads what a paper claims and prints.
 *
 * @throws MoeError `unknown-paper` with the nearest slug; FormatError `bad-paper` for a file that is not of the schema
 * @example printedPaper("mc-smoe").claims[0].value  // 80
 */
export function printedPaper(slug: string): PrintedPaper {
  const slugs = paperSlugs();
  if (!slugs.includes(slug))
    throw new MoeError("unknown-paper", `printedPaper: there is no paper "${slug}". ${suggest(slug, slugs)}`);
  return parsed(PrintedPaperSchema, JSON.parse(readFileSync(packageFile(`data/papers/${slug}.json`), "utf8")),
    (why) =>
      new FormatError("bad-paper",
        `printedPaper: in data/papers/${slug}.json ${why} Compare with another file of the folder.`));
}
