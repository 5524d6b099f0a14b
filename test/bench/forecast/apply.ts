import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { median } from "../../../sdk/evaluate/statistics/median.js";
import type { Batch } from "../../../sdk/model/batch.js";
import { create, from } from "../../../sdk/pipeline.js";
import { methodList } from "../../../sdk/plan/methods.js";
import { Rng, ready } from "../../../sdk/tensor/index.js";

// How long apply takes, beside what the forecast said, for every method that makes new weights:
//   node --import tsx test/bench/forecast/apply.ts [D F E LAYERS]
// Each method runs in a process of its own; forecast and apply alternate fifteen times: medians, and the median of the
// pairs' ratios. Takes a quarter of an hour. Memory is compared in test/plan/apply-work.test.ts, sizes and FLOPs in
// test/plan/forecast.test.ts. results/ holds what was measured.

const sizes = process.argv.slice(2).map(Number).filter(Number.isFinite);
const [D, F, E, layers] = [256, 512, 8, 8].map((usual, at) => sizes[at] ?? usual);
const method = process.argv.slice(2).find((arg) => !Number.isFinite(Number(arg)));
const config = {
  model_type: "mixtral", vocab_size: 64, hidden_size: D, intermediate_size: F, num_hidden_layers: layers, num_attention_heads: 4, num_key_value_heads: 4,
  num_local_experts: E, num_experts_per_tok: 2, max_position_embeddings: 64, rms_norm_eps: 1e-5, rope_theta: 1e4, tie_word_embeddings: true,
};

const rounds = 15;

if (method) await one(method);
else {
  const engine = await ready();
  const rows = methodList().filter(({ kind }) => kind === "merge" || kind === "compress").map(({ name }) => JSON.parse(
    execFileSync(process.execPath, ["--import", "tsx", fileURLToPath(import.meta.url), String(D), String(F), String(E), String(layers), name], { encoding: "utf8", env: process.env, stdio: ["ignore", "pipe", "inherit"] }).trimEnd().split("\n").pop()!));
  console.table(rows);
  const record = { date: new Date().toISOString().slice(0, 10), machine: `${cpus().length} x ${cpus()[0].model}`, engine: engine.name, node: process.version, command: `node --import tsx test/bench/forecast/apply.ts ${D} ${F} ${E} ${layers}`, D, F, E, layers, rounds, rows };
  const folder = fileURLToPath(new URL("results", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${engine.name}-${D}-${F}-${E}-${layers}.json`, `${JSON.stringify(record, null, 1)}\n`);
}

async function one(name: string): Promise<void> {
  const rng = new Rng("forecast");
  const data: (Batch & { labels: number[][] })[] = [{ ids: Array.from({ length: 8 }, () => Array.from({ length: 32 }, () => rng.int(64))), labels: Array.from({ length: 8 }, () => new Array<number>(32).fill(1)) }];
  const kind = methodList().find((each) => each.name === name)!.kind;
  const options = kind === "compress" ? { rank: 16 } : name === "meo" ? { level: "task", keep: 4 } : { keep: 0.5 };
  const planned = await from(await create(config).profile({ data: data as never })).plan({ method: name, ...options });
  const said: number[] = [], took: number[] = [];
  const make = async () => {
    const { model } = await from(planned).apply();
    const changed = [...model.weights.names()].filter((tensor) => tensor.includes(".experts."));
    const started = performance.now();
    for (const tensor of changed) await model.weights.values(tensor);
    return performance.now() - started;
  };
  const applied = async () => {
    // what is over in a moment is done for a second, as the trial of the forecast is
    const times: number[] = [];
    do times.push(await make()); while (times.reduce((sum, ms) => sum + ms, 0) < 1000);
    took.push(median(times));
  };
  const foretold = async () => void said.push((await from(planned).forecast()).applyMs);
  // in turns, so that a machine that slows down or heats up favours neither
  for (let round = 0; round < rounds; round++) for (const side of round % 2 ? [applied, foretold] : [foretold, applied]) await side();
  console.log(JSON.stringify({ method: name, ms: Number(median(took).toFixed(1)), forecast: Number(median(said).toFixed(1)), ratio: Number(median(said.map((ms, round) => ms / took[round]!)).toFixed(2)) }));
}
