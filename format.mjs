// Formats the sources with dprint's TypeScript plugin by the rules of dprint.json.
// usage: node format.mjs [--check] [FILE…]   --check: changes nothing, names what is not formatted, exit status 1
import { createFromBuffer } from "@dprint/formatter";
import { getPath } from "@dprint/typescript";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const { typescript, plugins: _, includes, excludes, ...global } = JSON.parse(readFileSync("dprint.json", "utf8"));
const formatter = createFromBuffer(readFileSync(getPath()));
formatter.setConfig(global, typescript);

const check = process.argv.includes("--check");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const listed = () =>
  execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--", ...includes, ...excludes.map((path) =>
    `:!${path}`
  )], { encoding: "utf8" }).split("\n");
let changed = 0;
for (const filePath of named.length > 0 ? named : listed().filter((path) => path && existsSync(path))) {
  const fileText = readFileSync(filePath, "utf8");
  const formatted = formatter.formatText({ filePath, fileText });
  if (formatted === fileText) continue;
  changed++;
  console.log(filePath);
  if (!check) writeFileSync(filePath, formatted);
}
console.log(check ? `${changed} not formatted; npm run format does it` : `${changed} formatted`);
process.exit(check && changed > 0 ? 1 : 0);
