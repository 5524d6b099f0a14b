import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gateLookahead } from "../../sdk/offload/predict.js";
import { replay } from "../../sdk/offload/replay.js";
import { type CostModel, simulate } from "../../sdk/offload/simulate.js";
import { loadTrace } from "../../sdk/offload/trace-file.js";
import type { RoutingTrace } from "../../sdk/offload/trace.js";
import { rejects } from "../support/rejects.js";
import { shared } from "../support/shared.js";

const test = suite("traces in virtual time");
const cost: CostModel = { attentionMs: 0.5, expertMs: 0.25, latencyMs: 0.25, bytesPerMs: 8 };
/** One layer, two choices a token. */
const small = (rows: number[][], experts = 4): RoutingTrace => ({ model: "hand", seed: 0, layers: 1, experts, topK: 2,
  dModel: 0, expertBytes: { f32: 4 },
  steps: rows.map((ids) => ({ seq: 0, phase: "decode", tokens: 1, ids: Uint16Array.from(ids) })) });

test("by hand: a load lasts 0.75 ms, a second demand waits for the link, a hit waits for nothing", () => {
  const run = simulate(small([[0, 1], [0, 2]]), { policy: "lru", slots: 3 }, cost);
  // gate at 0.5; loads end at 1.25 and 2.0; experts end at 1.5 and 2.25; gate at 2.75; 0 runs to 3.0; 2 arrives at 3.5
  assert.equal(run.stepEndMs, [2.25, 3.75]);
  assert.equal(run.ms, { compute: 2, demandWait: 1.75, lateWait: 0, total: 3.75 });
});

test("where one slot serves two experts of a layer, the second loads after the first has run", () => {
  const run = simulate(small([[0, 1]]), { policy: "lru", slots: 1 }, cost);
  // 0 arrives at 1.25 and runs to 1.5, then 1 loads to 2.25 and runs to 2.5
  assert.equal(run.stepEndMs, [2.5]);
  assert.is(run.totals.serial, 1);
});

const root = shared("fixtures/oracles/routing-traces");
if (root) {
  interface Case {
    trace: string;
    pool: "layer" | "global";
    slots: number;
    prefetch: string | null;
    cost: CostModel;
    loadMs: number;
    totals: Record<string, number>;
    ms: Record<string, number>;
    bytesMoved: number;
    stepEndMs: number[];
    gateAndEndMs: [number, number][];
  }
  for (const kase of JSON.parse(readFileSync(join(root, "virtual-engine.json"), "utf8")) as Case[]) {
    const { trace: name, pool, slots, prefetch, cost } = kase;
    test(`${name}, ${slots} slots, a load of ${kase.loadMs} ms, ahead by ${prefetch ?? "nothing"}: every time`, async () => {
      const trace = await loadTrace(join(root, `${name}.trace.json`));
      const options = { policy: "lru", pool, slots, precision: "f32",
        ...(prefetch && { predict: gateLookahead(trace) }) };
      const run = simulate(trace, options, cost);
      const { totals } = run;
      assert.equal({ hits: totals.hits - run.lateHits, lateHits: run.lateHits, misses: totals.misses,
        prefetchRequested: totals.prefetched, prefetchUsed: totals.prefetchUsed, prefetchWasted: totals.prefetchWasted,
        prefetchCancelled: run.prefetchCancelled, prefetchDropped: totals.dropped, loads: run.loads.length },
        kase.totals);
      const near = (seen: number, wanted: number, what: string) =>
        assert.ok(Math.abs(seen - wanted) < 1e-5, `${what}: ${seen}, not ${wanted}`);
      for (const [part, value] of Object.entries(kase.ms)) near(run.ms[part as "total"], value, part);
      assert.is(run.bytesMoved, kase.bytesMoved);
      run.stepEndMs.forEach((end, step) => near(end, kase.stepEndMs[step], `end of step ${step}`));
      run.layers.forEach(({ gateMs, endMs }, at) => {
        near(gateMs, kase.gateAndEndMs[at][0], `gate ${at}`);
        near(endMs, kase.gateAndEndMs[at][1], `end of layer ${at}`);
      });
      // a clock changes no decision
      assert.equal(run.hits, replay(trace, options).hits);
    });
  }
}

test("what cannot be is named", async () => {
  const trace = small([[0, 1]]);
  const wrong: [() => unknown, RegExp][] = [[() => simulate(trace, { policy: "lru", slots: 0 }, cost), /slots is 0/], [
    () => simulate(trace, { policy: "lur", slots: 2 }, cost),
    /Did you mean "lru"/,
  ], [() => simulate(trace, { policy: "lru", slots: 2, precision: "int8" }, cost), /precision is "int8"/], [
    () => simulate(trace, { policy: "lru", slots: 2 }, { ...cost, bytesPerMs: 0 }),
    /bytesPerMs is 0/,
  ], [() => replay(small([[0, 1], [2, 3], [0, 1]]), { slots: 2, policy: () => ({ victim: () => undefined as never }) }),
    /gave no expert/], [
    () =>
      replay(small([[0, 1], [2, 3], [0, 1]]), { slots: 2,
        policy: () => ({ victim: () => ({ key: 3, entered: 0, lastUse: 0, uses: 0 }) }) }),
    /gave expert 3/,
  ]];
  for (const [run, message] of wrong)
    assert.match((await rejects(Promise.resolve().then(run))).message, message);
});

test.run();
