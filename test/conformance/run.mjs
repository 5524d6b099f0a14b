// Runs the back end specs that tfjs-core ships for other back ends against the torch back end.
// usage: node test/conformance/run.mjs [part of a spec's name]
// Closes with `N passed, N failed`; the exit code is 0 when every failure is listed in failures.json and 97 % of the
// specs pass that are not about strings, complex numbers or channels first (NCHW).
import { build } from "esbuild";
import Jasmine from "jasmine";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = join(root, "test", "conformance");
const out = join(root, "out", "conformance");
const [filter] = process.argv.slice(2);

mkdirSync(out, { recursive: true });
const bundle = join(out, "specs.cjs");
await build({
  stdin: { contents: readFileSync(join(here, "entry.mjs"), "utf8"), resolveDir: here, loader: "js" },
  bundle: true,
  platform: "node",
  format: "cjs",
  outfile: bundle,
  logLevel: "error",
  // one copy of tfjs-core: its ES modules, whose side effects the package denies
  mainFields: ["module", "main"],
  ignoreAnnotations: true,
  define: { "import.meta.url": JSON.stringify(pathToFileURL(join(here, "run.mjs")).href) },
});

const known = JSON.parse(readFileSync(join(here, "failures.json"), "utf8"));
const reasonOf = new Map(known.flatMap(({ reason, specs }) => specs.map((name) => [name, reason])));
const results = [];
const jasmine = new Jasmine({ projectBaseDir: root });
jasmine.exitOnCompletion = false;
jasmine.clearReporters();
jasmine.addReporter({
  specDone({ fullName, status, failedExpectations }) {
    const name = fullName.replace(/ test-torch \{\}/, "");
    if (status === "passed" || status === "failed")
      results.push({ name, passed: status === "passed", message: failedExpectations[0]?.message ?? "" });
  },
});
globalThis.registrationProblem = undefined;
jasmine.loadConfig({ spec_dir: ".", spec_files: [], random: false });
createRequire(import.meta.url)(bundle);
if (globalThis.registrationProblem) {
  console.log(`skip: ${globalThis.registrationProblem}`);
  process.exit(0);
}
console.warn = () => {};
await jasmine.execute(undefined, filter);

const outside = ({ name }) => /string|complex|NCHW|NCDHW|fft|hash|ngram|base64/i.test(name);
const failed = results.filter(({ passed }) => !passed);
const counted = results.filter((result) => !outside(result));
const share = counted.filter(({ passed }) => passed).length / Math.max(1, counted.length);
const unlisted = failed.filter(({ name }) => !reasonOf.has(name));
const cured = filter ? [] : [...reasonOf.keys()].filter((name) => !failed.some((result) => result.name === name));
for (const { name, message } of unlisted) console.log(`✗ ${name}\n    ${message.split("\n")[0]}`);
for (const name of cured) console.log(`passes now, remove it from failures.json: ${name}`);
writeFileSync(join(out, "failed.json"), JSON.stringify(failed, undefined, 1));
rmSync(bundle);
console.log(
  `${(100 * share).toFixed(2)} % of the ${counted.length} specs that are not about strings, complex `
    + `numbers or NCHW pass; ${unlisted.length} failures are not listed`,
);
console.log(`${results.length - failed.length} passed, ${failed.length} failed`);
process.exit(unlisted.length === 0 && cured.length === 0 && share >= 0.97 ? 0 : 1);
