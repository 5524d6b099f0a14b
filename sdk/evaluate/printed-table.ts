import { MoeError, suggest } from "../errors.js";
import { printedPaper, type PrintedTable } from "./printed-paper.js";

/**
 * Finds a table of a paper, as printed.
 *
 * @param slug of the paper, e.g. "mc-smoe"
 * @param table its name, or its number in the paper ("Table 2") where that is one table alone
 * @throws MoeError `unknown-paper`, `unknown-table`; both with the nearest name
 * @example printedTable("mc-smoe", "Table 3").columns[1]  // "multirc_f1"
 */
export function printedTable(slug: string, table: string): PrintedTable {
  const { tables } = printedPaper(slug);
  const named = tables.find(({ name }) => name === table);
  if (named) return named;
  const numbered = tables.filter(({ source }) => source === table);
  if (numbered.length === 1) return numbered[0];
  if (numbered.length > 1) {
    throw new MoeError("unknown-table",
      `printedTable: "${table}" of ${slug} is ${numbered.length} tables here; accepted are their names: `
        + `${numbered.map(({ name }) => `"${name}"`).join(", ")}. Choose one.`);
  }
  const numbers = tables.map(({ source }) => source).filter((source, index, all) =>
    all.indexOf(source) === all.lastIndexOf(source)
  );
  throw new MoeError("unknown-table",
    `printedTable: ${slug} has no table "${table}". `
      + `${suggest(table, [...numbers, ...tables.map(({ name }) => name)])}`);
}
