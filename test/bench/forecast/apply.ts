import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Batch } from "../../../sdk/model/batch.js";
import { create, from } from "../../../sdk/pipeline.js";
import { methodList } from "../../../sdk/plan/methods.js";
import { applySpeeds } from "../../../sdk/plan/apply-speeds.js";
import { Rng, ready } from "../../../sdk/tensor/index.js";

// How long apply takes and how much it holds, beside what the forecast said, for every method that makes new weights:
//   node --expose-gc --import tsx test/bench/forecast/apply.ts [D F E]
// Each method runs in a process of its own, so that the largest resident size is its own.

const [D, F, E] = process.argv.slice(2, 5).map(Number).filter(Number.isFinite).length === 3 ? process.argv.slice(2, 5).map(Number) : [384, 768, 8];
const method = process.argv[5];
const config = {
  model_type: "mixtral", vocab_size: 64, hidden_size: D, intermediate_size: F, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 4,
  num_local_experts: E, num_experts_per_tok: 2, max_position_embeddings: 64, rms_norm_eps: 1e-5, rope_theta: 1e4, tie_word_embeddings: true,
};

if (method) await one(method);
else {
  console.log(`${(await ready()).name}, D ${D}, F ${F}, E ${E}, 2 layers\n${"method".padEnd(18)}${"ms".padStart(9)}${"said".padStart(9)}${"ratio".padStart(7)}${"MB".padStart(9)}${"said".padStart(9)}${"ratio".padStart(7)}`);
  for (const { name } of methodList().filter(({ kind }) => kind === "merge" || kind === "compress")) {
    console.log(execFileSync(process.execPath, ["--expose-gc", "--import", "tsx", fileURLToPath(import.meta.url), String(D), String(F), String(E), name], { encoding: "utf8", env: process.env, stdio: ["ignore", "pipe", "inherit"] }).trimEnd().split("\n").pop());
  }
}

async function one(name: string): Promise<void> {
  const rng = new Rng("forecast");
  const data: (Batch & { labels: number[][] })[] = [{ ids: Array.from({ length: 8 }, () => Array.from({ length: 32 }, () => rng.int(64))), labels: Array.from({ length: 8 }, () => new Array<number>(32).fill(1)) }];
  const kind = methodList().find((each) => each.name === name)!.kind;
  const options = kind === "compress" ? { rank: 16 } : name === "meo" ? { level: "task", keep: 4 } : { keep: 0.5 };
  await applySpeeds();
  const planned = from(await create(config).profile({ data: data as never })).plan({ method: name, ...options });
  const forecast = await planned.forecast();
  const { model } = await planned.apply();
  const slots = [...model.weights.names()].filter((tensor) => tensor.includes(".experts."));
  const first = slots.filter((tensor) => tensor.startsWith("layers.0."));
  for (const tensor of first) await model.weights.values(tensor); // the engine compiles and warms up
  globalThis.gc?.();
  writeFileSync("/proc/self/clear_refs", "5"); // the largest resident size counts from here
  const before = residentBytes("VmRSS");
  const started = performance.now();
  for (const tensor of slots) await model.weights.values(tensor);
  const ms = performance.now() - started;
  const peak = (residentBytes("VmHWM") - before) / 1e6;
  const [said, saidPeak] = [forecast.applyMs, forecast.peakBytes / 1e6];
  console.log(`${name.padEnd(18)}${ms.toFixed(0).padStart(9)}${said.toFixed(0).padStart(9)}${(said / ms).toFixed(2).padStart(7)}${peak.toFixed(1).padStart(9)}${saidPeak.toFixed(1).padStart(9)}${(saidPeak / peak).toFixed(2).padStart(7)}`);
}

/** of this process, as Linux counts */
function residentBytes(field: "VmRSS" | "VmHWM"): number {
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))![1]);
}
