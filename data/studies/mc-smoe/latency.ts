// Measures how long a forward pass takes, as Table A10 of arXiv:2310.01334 does with batches of 32, 256 and 512: here
// 16, 64
// and 256 words. Wants the machine for itself, and notes its load. Arms take turns, so that whatever slows the machine
// slows them all.
//
//   node --import tsx data/studies/mc-smoe/latency.ts
import { loadavg } from "node:os";
import { specFromConfig } from "../../../sdk/checkpoint/family.js";
import { openModel } from "../../../sdk/checkpoint/open-model.js";
import { cost, provenance, report, type TaskResult, writeReport } from "../../../sdk/evaluate/index.js";
import { initialize } from "../../../sdk/model/initialize.js";
import { Model } from "../../../sdk/model/model.js";
import { packageFile } from "../../../sdk/package-file.js";
import { applyPlan } from "../../../sdk/plan/apply.js";
import type { Plan } from "../../../sdk/plan/plan.js";
import { changeStage } from "../../../sdk/stages/change.js";
import { profileStage } from "../../../sdk/stages/profile.js";
import { ready, Rng } from "../../../sdk/tensor/index.js";
import { toBatch } from "../../../sdk/text/task-batch.js";
import { draw, loadPool, tokenizer } from "./pool.js";
import { denseConfig, study } from "./recipe.js";

const batchSizes = [16, 64, 256];
const rounds = 150;

await ready();
const pool = await loadPool("pron");
const opened = await openModel(packageFile("data/models/nano-switch-pron"), { id: "nano-switch-pron" });
const profiled = await profileStage({ model: opened.model, original: opened.model, opened, steps: [] }, {
  data: [batchOf(256)],
});
const merged = await changeStage(profiled, { method: "m-smoe", keep: 4 }, undefined);
const spec = await specFromConfig({ ...denseConfig, vocab_size: (await tokenizer()).size });
const cut = await applyPlan(opened.model, routersCut(merged.plan!));
const arms: [string, number, Model][] = [["dense", 1, new Model("dense", spec, initialize(spec, new Rng("latency")))], [
  "full",
  16,
  opened.model,
], ["m-smoe", 4, merged.model], ["m-smoe, router cut to the leaders", 4, new Model("cut", cut.spec, cut.weights)]];

/** Median with its distribution-free 95 % interval: order statistics of a sign test. */
function middle(values: number[]): [number, number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(rounds);
  return [0, -reach, reach].map((by) =>
    sorted[Math.max(0, Math.min(rounds - 1, Math.round(rounds / 2 + by - 0.5)))]
  ) as [number, number, number];
}

const results: TaskResult[] = [];
for (const size of batchSizes) {
  const batch = batchOf(size);
  const times = arms.map((): number[] => []);
  for (let round = -3; round < rounds; round++) { // the first three warm up
    for (const [arm, [, , model]] of arms.entries()) {
      const started = performance.now();
      const { logits } = await model.forward(batch, { capacity: false });
      await logits.data();
      if (round >= 0) times[arm].push((performance.now() - started) / 1000);
      logits.dispose();
    }
  }
  const full = arms.findIndex(([arm]) => arm === "full");
  arms.forEach(([arm, keep, model], at) => {
    const [median, low, high] = middle(times[at]);
    // of the same round, so that a machine whose speed wanders does not speak
    const [ratio, ratioLow, ratioHigh] = middle(times[at].map((seconds, round) => seconds / times[full][round]));
    console.log(
      `${size} words, ${arm}: ${(1000 * median).toFixed(1)} ms [${(1000 * low).toFixed(1)}, `
        + `${(1000 * high).toFixed(1)}], ${ratio.toFixed(3)} of full [${ratioLow.toFixed(3)}, `
        + `${ratioHigh.toFixed(3)}]`,
    );
    const metrics = Object.entries({ seconds: median, seconds_low: low, seconds_high: high, of_full: ratio,
      of_full_low: ratioLow, of_full_high: ratioHigh }).map(([metric, value]) => ({ metric, value }));
    results.push({ task: `batch of ${size} ${arm} ${keep} changed`, n: rounds, metrics,
      config: { task: `batch of ${size}`, arm, keep, stage: "changed", repeats: rounds,
        load_average: Number(loadavg()[0].toFixed(1)), parameters: cost(model.spec).parameters.total } });
  });
}
await writeReport(packageFile(`data/results/${study}/latency.json`), report(results, {
  provenance: provenance({ model: { id: "nano-switch-pron", fingerprint: await opened.model.weights.fingerprint() },
    options: { regime: "latency" }, command: "node --import tsx data/studies/mc-smoe/latency.ts" }),
}));

function batchOf(count: number) {
  return toBatch(draw(pool.test, count, new Rng("latency")), Array.from({ length: count }, (_, row) => row));
}

/** The same groups, each with the leader's router output alone: the others cannot be chosen any more. */
function routersCut(plan: Plan): Plan {
  const layers = Object.entries(plan.layers).map(
    ([id, change]) => [id, { ...change, router: { rows: change.slots!.map(({ from }) => from[0].expert) } }]
  );
  return { ...plan, layers: Object.fromEntries(layers) };
}
