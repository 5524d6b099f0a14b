// Where the engine's time goes, from V8's profile of each job once it computes. Writes results/where.json, prints a
// table.
// usage: node test/bench/engine/where.mjs [--model FOLDER]   (the folder that run.mjs made)
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { model: { type: "string", default: join(os.tmpdir(), "moelab-olmoe") } } });
const here = fileURLToPath(new URL(".", import.meta.url));
const jobs = {
  training: ["train-step.ts", "narrow", "60"],
  "training, ordinary operations": ["../tensor/moe-step.ts", "gather", "--steps", "60"],
  wide: ["train-step.ts", "wide", "8"],
  ...(existsSync(join(values.model, "config.json"))
    && { forward: ["forward.ts", values.model, "forward"], merge: ["forward.ts", values.model, "merge"] }),
};
/** by the file that calls an operation of the addon; the first that fits */
const kinds = {
  "matrix products": /torch\/kernels\/products/,
  experts: /torch\/fused\/experts/,
  attention: /torch\/fused\/attention/,
  "norms, loss, rotation": /torch\/fused\/(rms-norm|cross-entropy|rotate)/,
  optimiser: /torch\/fused\/adam-w/,
  "linear algebra, assignment": /torch\/linalg|linalg\//,
  "rows, sums, element by element": /torch\/(kernels|fused)\//,
  "files and copies": /checkpoint\/|torch\/(filling|to-float32)|^node:(fs|buffer)/,
  "garbage collection": /^\(garbage collector\)$/,
  waiting: /^\((idle|program)\)$/,
  "JavaScript around it": /./,
};

/** Share of each kind in the samples after the first product. */
function shares(profile) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const kindOf = new Map(
    profile.nodes.map(({ id, callFrame: { url, functionName } }) => [id, Object.keys(kinds).find((kind) =>
      kinds[kind].test(url || functionName)
    )]),
  );
  const begin = profile.samples.findIndex((id) => kinds["matrix products"].test(nodes.get(id).url));
  const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
  let sum = 0;
  for (let at = begin; at < profile.samples.length; at++) {
    times[kindOf.get(profile.samples[at])] += profile.timeDeltas[at];
    sum += profile.timeDeltas[at];
  }
  return Object.fromEntries(Object.entries(times).map(([kind, time]) => [kind, Number((time / sum).toFixed(3))]));
}

const result = { date: new Date().toISOString(),
  machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, node: process.version }, shares: {} };
for (const [name, args] of Object.entries(jobs)) {
  const folder = mkdtempSync(join(os.tmpdir(), "moelab-where-"));
  const { status, stderr } = spawnSync(process.execPath, ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--import", "tsx",
    join(here, args[0]), ...args.slice(1)], { encoding: "utf8",
    env: { ...process.env, GOMP_SPINCOUNT: "1000", MOELAB_BACKEND: "torch" } });
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  const profiles = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8")).sort((a, b) =>
    b.length - a.length
  ).map((text) => JSON.parse(text));
  result.shares[name] = shares(
    profiles.find(({ nodes }) => nodes.some(({ callFrame }) => kinds["matrix products"].test(callFrame.url))),
  );
  rmSync(folder, { recursive: true });
}
writeFileSync(join(here, "results/where.json"), `${JSON.stringify(result, undefined, 1)}\n`);
console.log(`| ${["", ...Object.keys(jobs)].join(" | ")} |\n|${" --- |".repeat(Object.keys(jobs).length + 1)}`);
for (const kind of Object.keys(kinds))
  console.log(
    "| " + `${
      [kind, ...Object.keys(jobs).map((name) => `${(100 * result.shares[name][kind]).toFixed(1)} %`)].join(" | ")
    } |`,
  );
