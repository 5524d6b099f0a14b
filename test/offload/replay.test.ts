import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { allOfNextLayer, gateLookahead, lookaheadRecall, type Predictor } from "../../sdk/offload/predict.js";
import { replay } from "../../sdk/offload/replay.js";
import { loadTrace } from "../../sdk/offload/trace-file.js";
import { type RoutingTrace, usesOf } from "../../sdk/offload/trace.js";
import { shared } from "../support/shared.js";

const test = suite("policies over traces");
const root = shared("fixtures/oracles/routing-traces");
if (root) {
  interface Case {
    trace: string;
    policy: string;
    pool: "layer" | "global";
    slots: number;
    mode: "layer" | "sequential";
    hits: string;
    victims: number[];
    totals: Record<string, unknown>;
    period?: number;
    predictor?: "given" | "gate-lookahead" | "all-of-next-layer";
    prefetched?: [step: number, layer: number, expert: number, victim: number][] | null;
  }
  const oracle = JSON.parse(readFileSync(join(root, "routing-traces.json"), "utf8")) as {
    traces: Record<string,
      { sets: [number, number, number[]][]; random_tape: number[]; given_predictions?: [number, number, number[]][] }>;
    cases: Case[];
    prefetch_cases: Case[];
    lookahead: Record<string, Record<string, { right: number; of: number; rightByTargetLayer: number[] }>>;
  };
  const traces = new Map<string, RoutingTrace>();
  test.before(async () => {
    for (const name of Object.keys(oracle.traces)) traces.set(name, await loadTrace(join(root, `${name}.trace.json`)));
  });

  const key = (victim: number | undefined) => victim ?? -1;
  const check = (kase: Case, predict?: Predictor) => {
    const trace = traces.get(kase.trace)!, tape = oracle.traces[kase.trace].random_tape;
    let drawn = 0;
    const { hits, victims, prefetched, totals } = replay(trace, { ...kase, predict, precision: "f32", random: () =>
      tape[drawn++] });
    assert.is(hits.map(Number).join(""), kase.hits);
    assert.equal(victims.map(key), kase.victims);
    const seen = { ...totals, bytesPrefetchUsed: totals.prefetchUsed * trace.expertBytes.f32,
      bytesPrefetchWasted: totals.prefetchWasted * trace.expertBytes.f32 } as Record<string, unknown>;
    for (const [name, value] of Object.entries(kase.totals)) assert.equal(seen[name], value, name);
    if (kase.prefetched)
      assert.equal(prefetched.map((one) => [one.step, one.layer, one.expert, key(one.victim)]), kase.prefetched);
  };

  test("the uses of every trace are the oracle's", () => {
    for (const [name, { sets }] of Object.entries(oracle.traces))
      assert.equal(usesOf(traces.get(name)!).map(({ step, layer, experts }) => [step, layer, experts]), sets);
  });
  for (const kase of oracle.cases) {
    const { trace, policy, pool, slots, mode } = kase;
    test(`${trace}, ${policy}, ${pool} ${slots}, ${mode}: hits, victims and bytes`, () => check(kase));
  }
  for (const kase of oracle.prefetch_cases) {
    const { trace, pool, slots, predictor } = kase;
    test(`${trace}, ${pool} ${slots}, ahead by ${predictor}: loads, uses and waste`, () => {
      const given = new Map(
        (oracle.traces[trace].given_predictions ?? []).map(([step, layer, list]) => [`${step} ${layer}`, list]),
      );
      const of = traces.get(trace)!;
      check(kase, {
        given: (step: number, layer: number) => given.get(`${step} ${layer}`)!,
        "gate-lookahead": predictor === "gate-lookahead" ? gateLookahead(of) : () => [],
        "all-of-next-layer": allOfNextLayer(of),
      }[predictor!]);
    });
  }
  for (const [name, leads] of Object.entries(oracle.lookahead)) {
    test(`${name}: how often the look-ahead is right`, () => {
      const seen = lookaheadRecall(traces.get(name)!).map(
        ({ lead, right, of, byLayer }) => [`lead${lead}`, { right, of, rightByTargetLayer: byLayer }]
      );
      assert.equal(Object.fromEntries(seen), leads);
    });
  }
}
test.run();
