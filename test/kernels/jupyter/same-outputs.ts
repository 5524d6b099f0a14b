// Compares what two kernels show for the same notebook: same-outputs.ts OURS.ipynb THEIRS.ipynb. Exits with 1 where
// they differ.
// Stock tslab prints a value on stdout where ours sends a result, so text counts as text wherever it stands; what is
// shown with
// moe.display must be the same bundle. Times, and ids that are drawn anew, are left out.
import { readFileSync } from "node:fs";
import type { Notebook, Output } from "../../../kernels/headless/notebook.js";
import { sourceOf } from "../../../kernels/headless/notebook.js";

const [ours, theirs] = process.argv.slice(2).map((file) =>
  (JSON.parse(readFileSync(file!, "utf8")) as Notebook).cells.filter((cell) => cell.cell_type === "code")
);
let different = 0;
let shown = 0;
if (ours!.length !== theirs!.length) tell("notebook", "number of cells", ours!.length, theirs!.length);
for (const [index, cell] of ours!.entries()) {
  const [a, b] = [seen(cell.outputs ?? []), seen(theirs![index]?.outputs ?? [])];
  const about = `cell ${index + 1} (${sourceOf(cell).split("\n")[0]})`;
  shown += a.bundles.length;
  if (a.text !== b.text) tell(about, "text", a.text, b.text);
  if (a.bundles.length !== b.bundles.length) tell(about, "number of displays", a.bundles.length, b.bundles.length);
  for (const [place, bundle] of a.bundles.entries()) {
    const other = b.bundles[place] ?? {};
    if (Object.keys(bundle).join() !== Object.keys(other).join())
      tell(about, "types", Object.keys(bundle), Object.keys(other));
    else for (const [type, value] of Object.entries(bundle))
        if (value !== other[type]) tell(about, type, value, other[type]);
  }
}
console.log(`${ours!.length} cells, ${shown} displays, ${different} differences`);
if (shown === 0) console.log("nothing is displayed: nothing was compared");
process.exit(different > 0 || shown === 0 ? 1 : 0);

/** The text of a cell, and its rich displays by MIME type. */
function seen(outputs: Output[]): { text: string; bundles: Record<string, string>[] } {
  const bundles: Record<string, string>[] = [];
  let text = "";
  for (const output of outputs) {
    if (output.output_type === "error") text += `${output.ename}: ${output.evalue}\n`;
    else if (output.output_type === "stream") text += joined(output.text);
    else if (Object.keys(output.data).join() === "text/plain") text += `${joined(output.data["text/plain"])}\n`;
    else bundles.push(
        Object.fromEntries(Object.entries(output.data).sort(([a], [b]) =>
          a.localeCompare(b)
        ).map(([type, value]) => [type, steady(joined(value))])),
      );
  }
  return { text: steady(text).trim(), bundles };
}

function joined(value: unknown): string {
  return Array.isArray(value) ? value.join("") : typeof value === "string" ? value : JSON.stringify(value);
}

function steady(text: string): string {
  return text.replace(/[\d.,]+\s?(ms|s|min|h|\w+\/s)(?![\w/])/g, "<time>").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "<id>")
    .replace(/ {2,}/g, "  ").replace(/─+/g, "─"); // a column of times is as wide as its times
}

function tell(about: string, what: string, a: unknown, b: unknown): void {
  different++;
  const [one, other] = [a, b].map((value) => JSON.stringify(value) ?? "nothing") as [string, string];
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const around = (text: string) => `${at > 80 ? "…" : ""}${text.slice(Math.max(0, at - 80), at + 160)}`;
  console.error(`${about}: ${what} differs\n  ours:   ${around(one)}\n  theirs: ${around(other)}`);
}
