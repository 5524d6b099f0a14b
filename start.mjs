// The main job on a fresh clone: installs, builds, executes the MC-SMoE notebook in the project's own kernel on a
// bundled
// model, leaves the notebook and a page in out/, and prints the table.
// usage: npm start [-- -p keep=0.5 …]   parameters as of `moelab run`
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, install } from "./setup.mjs";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
install();
await build();
try {
  execFileSync(process.execPath, ["dist/cli.js", "run", "notebooks/papers/mc-smoe.ipynb", "--out", "out", "--html",
    ...process.argv.slice(2)], { stdio: "inherit" });
} catch (error) {
  process.exit(error.status ?? 1);
}
const { cells } = JSON.parse(readFileSync("out/mc-smoe.ipynb", "utf8"));
const shown = cells.find(({ id }) => id === "compare").outputs.map(({ data }) =>
  [data?.["text/plain"] ?? ""].flat().join("")
);
console.log(
  `\n${shown.filter((text) => text.includes("exact match")).join("\n\n")}\n\nOpen ${pathToFileURL("out/mc-smoe.html")}`,
);
