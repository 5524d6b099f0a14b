import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { paperSlugs, printedPaper, PrintedPaperSchema } from "../../sdk/evaluate/printed-paper.js";
import { printedTable } from "../../sdk/evaluate/printed-table.js";
import { packageFile } from "../../sdk/package-file.js";
import { shared } from "../support/shared.js";

test("every file follows the schema, under its own slug", () => {
  const slugs = paperSlugs();
  assert.is(slugs.length, 40);
  for (const slug of slugs) assert.is(printedPaper(slug).slug, slug);
});

test("the schema refuses a row of the wrong length, two tables of one name, a number in words", () => {
  const refused = (change: (paper: ReturnType<typeof printedPaper>) => void) => {
    const paper = printedPaper("mc-smoe");
    change(paper);
    return !v.safeParse(PrintedPaperSchema, paper).success;
  };
  assert.not(refused(() => {}));
  assert.ok(refused((paper) => paper.tables[1].rows[0].pop()));
  assert.ok(refused((paper) => (paper.tables[1].name = paper.tables[0].name)));
  assert.ok(refused((paper) => ((paper.claims[0] as { value: unknown }).value = "80 %")));
});

test("the files say what was read", () => {
  for (const slug of paperSlugs()) {
    const source = shared(`papers/${slug}.json`);
    if (!source) return;
    assert.equal(JSON.parse(readFileSync(packageFile(`data/papers/${slug}.json`), "utf8")),
      JSON.parse(readFileSync(source, "utf8")), slug);
  }
});

test("a table is found by number and by name", () => {
  const table = printedTable("mc-smoe", "Table 2");
  assert.equal(table, printedTable("mc-smoe", "Main results, switch-base-32, average 8 experts per merged layer"));
  assert.equal(table.rows.find(([method]) => method === "M-SMoE")!.slice(1, 4), [733, 4.65, 94.5]);
});

test("an unknown name suggests the nearest; a number that stands for several tables lists them", () => {
  assert.throws(() => printedTable("mc-smo", "Table 2"), /Did you mean "mc-smoe"/);
  assert.throws(() => printedTable("mc-smoe", "Table A1"), /Did you mean "Table/);
  const two = paperSlugs().flatMap((slug) => printedPaper(slug).tables.map(({ source }) => ({ slug, source }))).find(
    ({ slug, source }) => printedPaper(slug).tables.filter((table) => table.source === source).length > 1
  )!;
  assert.throws(() => printedTable(two.slug, two.source), /Choose one/);
});

test.run();
