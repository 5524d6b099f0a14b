import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Batch } from "../../../sdk/model/batch.js";
import { create, from } from "../../../sdk/pipeline.js";
import { methodList } from "../../../sdk/stages/method-list.js";
import { median } from "../../../sdk/statistics/median.js";
import { ready, Rng } from "../../../sdk/tensor/index.js";

// How long apply takes, beside what the forecast said, for every method that makes new weights:
//   node --import tsx test/bench/forecast/apply.ts [D F E LAYERS] [--passes 3] [--methods zipit,svd]
// In a pass each method runs in a process of its own, where forecast and apply alternate for a minute, five times at
// least; on
// a machine that does nothing else. results/ keeps all pairs, and further passes join them: medians, and of the pairs'
// ratios
// the median with its distribution-free 95 % interval (neighbours are alike, so that it is a little narrow). Memory is
// compared in test/plan/work.test.ts, sizes and FLOPs in test/plan/forecast.test.ts.

const { values: { passes, methods }, positionals } = parseArgs({ allowPositionals: true,
  options: { passes: { type: "string", default: "1" }, methods: { type: "string" } } });
const sizes = positionals.map(Number).filter(Number.isFinite);
const [D, F, E, layers] = [256, 512, 8, 8].map((usual, at) => sizes[at] ?? usual);
const method = positionals.find((arg) => !Number.isFinite(Number(arg)));
const config = {
  model_type: "mixtral",
  vocab_size: 64,
  hidden_size: D,
  intermediate_size: F,
  num_hidden_layers: layers,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  num_local_experts: E,
  num_experts_per_tok: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 1e4,
  tie_word_embeddings: true,
};

/** milliseconds of a forecast and of what was then measured */
interface Pair {
  forecast: number;
  apply: number;
}
const rounds = 5, enoughMs = 60e3;

if (method) await one(method);
else {
  const engine = await ready();
  const file = fileURLToPath(new URL(`results/${engine.name}-${D}-${F}-${E}-${layers}.json`, import.meta.url));
  const pairs: Record<string, Pair[]> = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).pairs : {};
  const names = methodList().filter(({ kind }) => kind === "merge" || kind === "compress").map(({ name }) => name);
  for (let pass = 0; pass < Number(passes); pass++) {
    for (const name of methods?.split(",") ?? names) {
      const printed = execFileSync(process.execPath, ["--import", "tsx", fileURLToPath(import.meta.url),
        ...[D, F, E, layers].map(String), name], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
      (pairs[name] ??= []).push(...(JSON.parse(printed.trimEnd().split("\n").pop()!) as Pair[]));
    }
    const summary = names.filter((name) => pairs[name]).map((name) => ({ method: name, ...summaryOf(pairs[name]!) }));
    console.table(summary);
    mkdirSync(dirname(file), { recursive: true });
    const record = { date: new Date().toISOString().slice(0, 10), machine: `${cpus().length} x ${cpus()[0].model}`,
      engine: engine.name, node: process.version,
      command: `node --import tsx test/bench/forecast/apply.ts ${D} ${F} ${E} ${layers}`, D, F, E, layers, summary,
      pairs };
    // a pair to a line
    writeFileSync(file,
      `${
        JSON.stringify(record, null, 1).replace(/\{\s+("forecast": [\d.]+),\s+("apply": [\d.]+)\s+\}/g, "{ $1, $2 }")
      }\n`);
  }
}

function summaryOf(pairs: Pair[]) {
  const ratios = pairs.map(({ forecast, apply }) => forecast / apply).sort((a, b) => a - b);
  // order statistics around the median, by the normal approximation of the binomial
  const reach = 0.98 * Math.sqrt(ratios.length);
  const at = (by: number) =>
    ratios[Math.max(0, Math.min(ratios.length - 1, Math.round(ratios.length / 2 + by - 0.5)))]!;
  return { pairs: pairs.length, ms: round(median(pairs.map(({ apply }) => apply)), 1),
    forecast: round(median(pairs.map(({ forecast }) => forecast)), 1), ratio: round(median(ratios), 2),
    low: round(at(-reach), 2), high: round(at(reach), 2) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

async function one(name: string): Promise<void> {
  const rng = new Rng("forecast");
  const data: (Batch & { labels: number[][] })[] = [{
    ids: Array.from({ length: 8 }, () => Array.from({ length: 32 }, () => rng.int(64))),
    labels: Array.from({ length: 8 }, () => new Array<number>(32).fill(1)),
  }];
  const kind = methodList().find((each) => each.name === name)!.kind;
  const options = kind === "compress" ? { rank: 16 } : name === "meo" ? { level: "task", keep: 4 } : { keep: 0.5 };
  const planned = await from(await create(config).profile({ data: data as never })).plan({ method: name, ...options });
  const forecasts: number[] = [], applied: number[] = [];
  const make = async () => {
    const { model } = await from(planned).apply();
    const changed = [...model.weights.names()].filter((tensor) => tensor.includes(".experts."));
    const started = performance.now();
    for (const tensor of changed) await model.weights.values(tensor);
    return performance.now() - started;
  };
  const apply = async () => {
    // what is over in a moment is done for a second, as the trial of the forecast is
    const times: number[] = [];
    do times.push(await make()); while (times.reduce((sum, ms) => sum + ms, 0) < 1000);
    applied.push(median(times));
  };
  const forecast = async () => void forecasts.push((await from(planned).forecast()).applyMs);
  // in turns, so that a machine that slows down or heats up favours neither
  const begun = performance.now();
  for (let turn = 0; turn < rounds || performance.now() - begun < enoughMs; turn++)
    for (const side of turn % 2 ? [apply, forecast] : [forecast, apply]) await side();
  console.log(
    JSON.stringify(forecasts.map((ms, turn): Pair => ({ forecast: round(ms, 1), apply: round(applied[turn]!, 1) }))),
  );
}
