// Runs every test file in a process of its own, two at a time, and closes with `N passed, N failed`.
// usage: node test/run.mjs [part of a file name …]
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
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
// what runs whole notebooks and kernels comes first, so that neither worker ends up alone with a long file
const isLong = (file) => /test.(notebooks|kernels|stages)\b/.test(file);
const queue = [...files.filter(isLong), ...files.filter((file) => !isLong(file))];

async function worker() {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const started = performance.now();
    const { code, output } = await run(file);
    const count = (word) => Number(output.match(new RegExp(`${word}:\\s+(\\d+)`))?.[1] ?? 0);
    const [total, passed, skipped] = ["Total", "Passed", "Skipped"].map(count);
    // uvu's total leaves out skipped tests; a file that dies before its summary is one failure, unless it said that it
    // skips itself
    const ended = code === 0 && (/Total:/.test(output) || /^skip: /m.test(output));
    const failed = Math.max(total - passed, ended ? 0 : 1);
    totals.passed += passed;
    totals.failed += failed;
    totals.skipped += skipped;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `${failed ? "✗" : "✓"} ${file}  ${passed} `
        + `passed${skipped ? `, ${skipped} skipped` : ""}${failed ? `, ${failed} failed` : ""}  ${seconds} s`,
    );
    for (const line of output.split("\n").filter((line) => /^skip: /.test(line))) console.log(`    ${line}`);
    if (failed) failures.push({ file, output });
  }
}

function run(file) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["--enable-source-maps", scripts.get(file)], { cwd: root,
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
