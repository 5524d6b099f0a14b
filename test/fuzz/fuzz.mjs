// Mutates every kind of file and message that moelab reads, and demands of each input: success or a MoeError, within
// 5 seconds and a gigabyte of memory, and no word of JavaScript's or of a library's own.
// usage: node test/fuzz/fuzz.mjs [--seconds N | --inputs N] [--seed S] [--kinds a,b] [--at N]
// An input is its kind, seed and number: `--kinds config --seed 0 --at 17` makes that one again and prints what it said.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: asked } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, inputs: { type: "string" },
    seed: { type: "string", default: "0" }, kinds: { type: "string" }, at: { type: "string" } },
});
const until = asked.inputs ? Infinity : Date.now() + 1000 * Number(asked.seconds);
const [LIMIT_MS, LIMIT_MB, ROUND] = [5000, 1024, 200];
const folder = mkdtempSync(join(tmpdir(), "moelab-fuzz-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));

const residentMb = (pid) => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) / 256;
  } catch {
    return 0;
  }
};

/** Runs inputs of one process until `count` are done or one ends it; answers with the outcomes and what ended it. */
function run(kinds, first, count) {
  return new Promise((done) => {
    const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [folder, asked.seed, String(first),
      String(count), kinds ?? "", asked.at ? "show" : ""], { execArgv: ["--import", "tsx", "--max-old-space-size=1500"],
      stdio: ["ignore", asked.at ? "inherit" : "ignore", asked.at ? "inherit" : "pipe", "ipc"],
      env: { ...process.env, MOELAB_BACKEND: process.env.MOELAB_BACKEND ?? "wasm" } });
    const outcomes = [];
    let current, begun = 0, ended, last = "";
    child.stderr?.on("data", (text) => (last = (last + text).slice(-2000)));
    const end = (how) => {
      ended ??= how;
      child.kill("SIGKILL");
    };
    const watch = setInterval(() => {
      if (!current) return;
      if (Date.now() - begun > LIMIT_MS) end(`no end in ${LIMIT_MS / 1000} s`);
      const mb = residentMb(child.pid);
      if (mb > LIMIT_MB) end(`${Math.round(mb)} MB`);
    }, 50);
    child.on("message", (message) => {
      if (message.begin) [current, begun] = [message.begin, Date.now()];
      else {
        outcomes.push({ ...current, ...message });
        current = undefined;
        if (Date.now() > until) child.kill("SIGKILL");
      }
    });
    child.on("exit", (code) => {
      clearInterval(watch);
      if (!current && code) ended ??= `the process ended with ${code}: ${last}`;
      done({ outcomes, failed: current && { ...current, raw: ended ?? `the process ended with ${code}: ${last}` },
        ended });
    });
  });
}

const counts = new Map(), failures = [];
let inputs = 0;
const stop = asked.at === undefined ? Number(asked.inputs ?? Infinity) : 1;
for (let next = Number(asked.at ?? 0); inputs < stop && Date.now() < until;) {
  const { outcomes, failed, ended } = await run(asked.kinds, next, Math.min(ROUND, stop - inputs));
  if (outcomes.length === 0 && !failed) {
    console.error(`fuzz: nothing ran: ${ended ?? "no kinds"}`);
    process.exit(1);
  }
  let one = failed;
  if (one && !asked.at) { // alone: what a process has gathered before is no fault of this input
    const again = await run(one.kind, one.at, 1);
    one = again.failed ?? again.outcomes[0];
  }
  for (const outcome of one ? [...outcomes, one] : outcomes) {
    const count = counts.get(outcome.kind) ?? { accepted: 0, refused: 0, failed: 0, slowestMs: 0 };
    counts.set(outcome.kind, count);
    count[outcome.raw ? "failed" : outcome.accepted ? "accepted" : "refused"]++;
    count.slowestMs = Math.max(count.slowestMs, outcome.timeMs ?? 0);
    if (outcome.raw) {
      failures.push(outcome);
      console.log(
        `--kinds "${outcome.kind}" --seed ${asked.seed} --at ${outcome.at}: ${outcome.raw.trim().slice(0, 600)}`,
      );
    }
  }
  const done = outcomes.length + (one ? 1 : 0);
  inputs += done;
  next += done;
}
console.table(Object.fromEntries([...counts].sort()));
console.log(`${inputs} inputs: ${failures.length} raw errors, hangs or gigabytes`);
// a kind that refuses or accepts everything tries nothing
const idle = asked.kinds || inputs < 2000
  ? []
  : [...counts].filter(([, { accepted, refused }]) => !accepted || !refused);
for (const [kind] of idle) console.log(`fuzz: ${kind} has no input that is accepted, or none that is refused`);
const failed = failures.length + idle.length;
console.log(`${inputs - failures.length} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
