// Builds the engine against an installed PyTorch, runs its tests, the back end specs and the benchmark on a device, and
// writes device.json, anew after each step; what does not fit 8 minutes is recorded as stopped.
// usage: node test/device/run.mjs --python PYTHON --device cuda --out FOLDER   (run.sh calls it)
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const { values: { python, device, out } } = parseArgs({
  options: { python: { type: "string" }, device: { type: "string" }, out: { type: "string" } },
});
const end = Date.now() + 470e3;
const engines = resolve("out/device/engines"), bench = resolve("out/device/bench");
const env = { ...process.env, MOELAB_ENGINE_DIR: engines, MOELAB_BACKEND: "torch", MOELAB_DEVICE: device, NO_COLOR: "1",
  FORCE_COLOR: "0" };
const record = { date: new Date().toISOString(), device, node: process.version,
  machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30) },
  passed: 0, failed: 0, steps: [] };

/** Runs a step by this Node within the time that is left, or `limitS`; counts what `count` finds in its output. */
function step(name, args, { limitS = Infinity, count = (_, ok) => (ok ? [1, 0] : [0, 1]) } = {}) {
  const started = Date.now();
  const timeout = Math.min(end - started, 1e3 * limitS);
  const { status, signal, stdout = "", stderr = "", error } = timeout > 1000
    ? spawnSync(process.execPath, args, { env, encoding: "utf8", timeout, killSignal: "SIGKILL", maxBuffer: 1 << 28 })
    : { error: { code: "ETIMEDOUT" } };
  const ok = status === 0;
  const [passed, failed] = count(stdout, ok);
  const seconds = (Date.now() - started) / 1e3;
  record.passed += passed;
  record.failed += failed;
  record.steps.push({ name, seconds, passed, failed,
    ...(error?.code === "ETIMEDOUT" ? { stopped: "the time was over" } : signal ? { signal } : {}),
    ...(ok ? {} : { output: (stdout + stderr).slice(-4000) }) });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "device.json"), JSON.stringify(record, undefined, 1) + "\n");
  console.log(`${ok ? "✓" : "✗"} ${name}  ${passed} passed, ${failed} failed  ${seconds.toFixed(0)} s`);
  return { ok, stdout };
}
const closing = (text, ok) => {
  const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(text.split("\n").reverse().join("\n")) ?? [];
  return [Number(passed ?? 0), ok ? 0 : Number(failed) || 1]; // failures that are listed with a reason leave it well
};
const uvu = (text, ok) => {
  const sum = (word) =>
    [...text.matchAll(new RegExp(`${word}:\\s+(\\d+)`, "g"))].reduce((all, [, n]) => all + Number(n), 0);
  return [sum("Passed"), Math.max(sum("Total") - sum("Passed"), ok ? 0 : 1)];
};

rmSync(engines, { recursive: true, force: true });
rmSync(bench, { recursive: true, force: true });
const built = step("build the engine", ["dist/cli.js", "engine", "build", "--torch", python], { limitS: 240 });
if (built.ok) {
  const [engine] = readdirSync(engines).filter((name) => name.startsWith("torch-"));
  record.engine = JSON.parse(readFileSync(join(engines, engine, "engine.json"), "utf8"));
  const gpu = spawnSync(python, ["-c", "import torch; print(torch.cuda.get_device_name())"], { encoding: "utf8" });
  if (device === "cuda") record.gpu = gpu.stdout.trim();
}
// tests skip themselves without an engine, so that it computes where it was told to is asked first
const WHERE = `import { registerTorch } from "./sdk/tensor/torch/register.ts"; const found = await registerTorch();
  if (!found.ok) throw new Error(found.reason);
  if ((found.device === "gpu") !== (process.env.MOELAB_DEVICE !== "cpu")) throw new Error(found.device);`;
if (built.ok && step(`computes on ${device}`, ["--import", "tsx", "--input-type=module", "-e", WHERE]).ok) {
  for (const file of readdirSync("test/tensor/torch").filter((name) => name.endsWith(".test.ts")))
    step(file, ["--import", "tsx", join("test/tensor/torch", file)], { limitS: 120, count: uvu });
  step("back end specs", ["test/conformance/run.mjs"], { limitS: 240, count: closing });
  for (const part of ["operations", "training", "wide", "linalg"])
    step(`benchmark: ${part}`, ["--import", "tsx", "test/bench/engine/run.mjs", "--part", part, "--rounds", "1",
      "--out", bench], { limitS: 90 });
  record.benchmark = Object.fromEntries(
    readdirSync(bench).filter((name) => name.endsWith(".json")).map(
      (name) => [name.slice(0, -5), JSON.parse(readFileSync(join(bench, name), "utf8")).rounds[0]]
    ),
  );
  writeFileSync(join(out, "device.json"), JSON.stringify(record, undefined, 1) + "\n");
}
console.log(`${record.passed} passed, ${record.failed} failed`);
process.exit(record.failed === 0 ? 0 : 1);
