// The engine beside PyTorch, transformers, LAPACK and SciPy, alternating. Adds rounds to
// test/bench/engine/results/PART.json
// until there are five, stops when the minutes are over and goes on there the next time; then prints the table.
// usage: node --import tsx test/bench/engine/run.mjs --python PATH [--part NAME,NAME …] [--rounds 5] [--minutes 3.5]
// [--again] [--model FOLDER]
// PATH is a Python with torch, SciPy and transformers. Without --part all parts run; --again forgets earlier rounds.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inTurns } from "./in-turns.mjs";
import { parts } from "./parts.mjs";
import { table } from "./table.mjs";

const { values } = parseArgs({
  options: { python: { type: "string" }, part: { type: "string" }, rounds: { type: "string", default: "5" },
    minutes: { type: "string", default: "Infinity" }, again: { type: "boolean" },
    model: { type: "string", default: join(os.tmpdir(), "moelab-olmoe") }, out: { type: "string" } },
});
const here = fileURLToPath(new URL(".", import.meta.url));
const out = values.out ?? join(here, "results");
const end = performance.now() + 60e3 * Number(values.minutes);
const names = values.part ? values.part.split(",") : Object.keys(parts);
const unknown = names.find((name) => !(name in parts));
if (unknown) throw new Error(`bench: no part is named ${unknown}; accepted are ${Object.keys(parts).join(", ")}.`);

/** What starts one side; undefined for a peer without a Python. */
function commandOf({ script, args = [], backend = "torch" }) {
  const isPython = script.endsWith(".py");
  if (isPython && !values.python) return undefined;
  const program = isPython ? values.python : process.execPath;
  const path = fileURLToPath(new URL(script, import.meta.url));
  const full = [...(isPython ? [] : ["--import", "tsx"]), path,
    ...args.map((arg) => (arg === "MODEL" ? values.model : arg))];
  // the setting that the engine has, for both: waiting threads sleep instead of spinning
  return { program, args: full, env: { ...process.env, GOMP_SPINCOUNT: "1000", MOELAB_BACKEND: backend } };
}

/** Runs one side; the last line of its output is JSON. */
function run(side) {
  const command = commandOf(side);
  if (!command) return undefined;
  const { status, stdout, stderr } = spawnSync(command.program, command.args, { encoding: "utf8", env: command.env });
  if (status !== 0) throw new Error(`${command.program} ${command.args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").pop());
}

mkdirSync(out, { recursive: true });
for (const name of names) {
  const part = parts[name];
  const path = join(out, `${name}.json`);
  if (values.again) rmSync(path, { force: true });
  const report = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : { part: name,
      machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
        node: process.version }, rounds: [] };
  if (part.model && values.python && !existsSync(join(values.model, "config.json")))
    spawnSync(values.python, [join(here, "forward.py"), values.model, "make"], { stdio: "inherit" });
  while (report.rounds.length < Number(values.rounds) && performance.now() < end) {
    // the order turns each round, so that nobody always runs on the warmer machine
    const sides = Object.keys(part.sides);
    const turned = sides.map((_, i) => sides[(i + report.rounds.length) % sides.length]);
    const round = { date: new Date().toISOString(), load: os.loadavg()[0] };
    if (part.inTurns)
      Object.assign(round,
        await inTurns(
          Object.fromEntries(turned.map((side) => [side, commandOf(part.sides[side])]).filter(([, command]) =>
            command
          )),
        ));
    else for (const side of turned) round[side] = run(part.sides[side]);
    report.rounds.push(round);
    writeFileSync(`${path}.tmp`, JSON.stringify(report, undefined, 1) + "\n");
    renameSync(`${path}.tmp`, path);
    console.log(name, `round ${report.rounds.length}`, sides.map((side) =>
      `${side} ${round[side]?.tokensPerSecond ?? round[side]?.seconds ?? ""}`
    ).join(", "), `load ${os.loadavg()[0].toFixed(1)}`);
  }
}
console.log(table(out));
