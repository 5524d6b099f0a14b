// Runs all test files, two processes at a time, and closes with `N passed, N failed`.
// usage: node test/run.mjs [part of a file name …]
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, install } from "../setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
install();
await build();

const filters = process.argv.slice(2);
const files = readdirSync(join(root, "test"), { recursive: true }).map((name) => join("test", name)).filter((name) =>
  name.endsWith(".test.ts") && (filters.length === 0 || filters.some((part) => name.includes(part)))
).sort();
const { bundled } = await import("./bundle.mjs"); // esbuild is there once all is installed
const scripts = await bundled(root, files);
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

// what runs whole notebooks and kernels comes first, so that neither worker ends up alone with a long file; files that
// leave nothing behind share a process with others of their folder
const isLong = (file) => /test.(notebooks|kernels|stages|types\.test)\b/.test(file);
const LASTING =
  /useBackend|registerBackend|setBackend|process\.(env|exit|argv|chdir)|globalThis|defineMethod|child_process/;
const sharers =
  /^test.(checkpoint|evaluate|experiment|match|merge|method|model|plan|profile|prune|route|statistics|text|view)\b/;
const shares = (file) => sharers.test(file) && !LASTING.test(readFileSync(join(root, file), "utf8"));
const PER_PROCESS = 8;
const groups = [...new Set(files.filter(shares).map(dirname))].map((folder) =>
  files.filter((file) => shares(file) && dirname(file) === folder)
).flatMap((folder) =>
  Array.from({ length: Math.ceil(folder.length / PER_PROCESS) }, (_, at) =>
    folder.slice(at * PER_PROCESS, (at + 1) * PER_PROCESS))
);
const alone = files.filter((file) => !shares(file)).map((file) => [file]);
const queue = [...alone.filter(([file]) => isLong(file)), ...groups, ...alone.filter(([file]) => !isLong(file))];

async function worker() {
  for (let group = queue.shift(); group; group = queue.shift()) {
    const began = performance.now();
    if (group.length === 1) {
      count(group[0], await run([scripts.get(group[0])]), performance.now() - began);
      continue;
    }
    const { output } = await run([join(root, "test/several.mjs"), ...group.map((file) => scripts.get(file))]);
    const each = (performance.now() - began) / group.length;
    for (const [at, file] of group.entries()) {
      const part = output.match(new RegExp(`=== begin ${at}\n([^]*?)=== end ${at} (\\d+)`));
      if (part) count(file, { output: part[1], code: Number(part[2]) }, each);
      else queue.unshift([file]); // the process ended before it: the file gets one of its own
    }
  }
}

function count(file, { code, output }, timeMs) {
  const found = (word) => Number(output.match(new RegExp(`${word}:\\s+(\\d+)`))?.[1] ?? 0);
  const [total, passed, skipped] = ["Total", "Passed", "Skipped"].map(found);
  // uvu's total leaves out skipped tests; a file that dies before its summary is one failure, unless it said that it
  // skips itself
  const ended = code === 0 && (/Total:/.test(output) || /^skip: /m.test(output));
  const failed = Math.max(total - passed, ended ? 0 : 1);
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
  console.log(
    `${failed ? "✗" : "✓"} ${file}  ${passed} `
      + `passed${skipped ? `, ${skipped} skipped` : ""}${failed ? `, ${failed} failed` : ""}  ${
        (timeMs / 1000).toFixed(1)
      } s`,
  );
  for (const line of output.split("\n").filter((line) => /^skip: /.test(line))) console.log(`    ${line}`);
  if (failed) failures.push({ file, output });
}

function run(scripts) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["--enable-source-maps", ...scripts], { cwd: root,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" } });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    const limit = setTimeout(() => {
      output += "\nstopped after 5 minutes";
      child.kill("SIGKILL");
    }, 300_000);
    child.on("close", (code) => {
      clearTimeout(limit);
      done({ code, output });
    });
  });
}

await Promise.all([worker(), worker()]);
for (const { file, output } of failures) console.log(`\n──── ${file}\n${output}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ""}`);
process.exit(totals.failed > 0 || files.length === 0 ? 1 : 0);
