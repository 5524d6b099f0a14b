// An OLMoE-shaped checkpoint on the active back end: load, forward of 4 x 256 tokens, then profile of 8,192 tokens and
// M-SMoE merge of its experts to a quarter, made and run once. Last line as JSON.
// usage: node --import tsx test/bench/engine/forward.ts FOLDER forward|merge
import { readFileSync } from "node:fs";
import { moe } from "../../../sdk/index.js";
import { ready } from "../../../sdk/tensor/index.js";

const [folder, job] = process.argv.slice(2);
const [B, T, repeats, profiled] = [4, 256, 5, 8192];
const { backend, version } = await ready();
const vocab = (JSON.parse(readFileSync(`${folder}/config.json`, "utf8")) as { vocab_size: number }).vocab_size;

/** The ids of forward.py: a linear congruential generator, its upper bits. */
let state = 1;
const ids = () =>
  Array.from({ length: B }, () =>
    Array.from({ length: T }, () => ((state = (Math.imul(1664525, state) + 1013904223) >>> 0) >>> 8) % vocab));
const batch = { ids: ids() };
const seconds = async (work: () => Promise<unknown>) => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};
/** VmHWM, not the maxRSS of resourceUsage, which a process takes over from the one that started it. */
const peakMib = () => Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024);

let study = await moe.load(folder);
const run = async (input = batch) => {
  const { logits, dispose } = await study.model.forward(input);
  const first = (await logits.slice([0, 0, 0], [1, 1, 4]).data()) as Float32Array;
  dispose();
  return [...first];
};
if (job === "forward") {
  let logits: number[] = [];
  const load = await seconds(async () => {
    logits = await run();
  });
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) times.push(await seconds(run));
  times.sort((a, b) => a - b);
  console.log(
    JSON.stringify({ backend, version, loadSeconds: load, tokensPerSecond: Math.round((B * T) / times[repeats >> 1]),
      best: Math.round((B * T) / times[0]), logits, peakMib: peakMib() }),
  );
} else {
  await run(); // weights are read, as the peer's are
  const batches = Array.from({ length: profiled / (B * T) }, () => {
    const rows = ids();
    return { ids: rows, labels: rows };
  });
  const profile = await seconds(async () => {
    study = await moe.from(study).profile({ data: batches, statistics: ["routerLogits"] });
  });
  const merge = await seconds(async () => {
    study = await moe.from(study).merge({ method: "m-smoe", keep: 0.25, ratio: "uniform", alignTo: "leader",
      exclude: [] });
    await run();
  });
  console.log(
    JSON.stringify({ backend, version, profileSeconds: profile, mergeSeconds: merge, seconds: profile + merge,
      peakMib: peakMib() }),
  );
}
