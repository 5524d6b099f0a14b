import { MoeError } from "../errors.js";
import type { Decision, Load } from "./expert-cache.js";
import type { ExpertKey } from "./policy.js";
import { bytesOf, type Replay, replay, type ReplayOptions } from "./replay.js";
import type { LayerUse, RoutingTrace } from "./trace.js";

/** What takes how long, in milliseconds. */
export interface CostModel {
  /** attention and gate of one layer */
  attentionMs: number;
  /** one expert for the tokens of a step */
  expertMs: number;
  /** of each load, before its first byte */
  latencyMs: number;
  /** of the link between slow and fast memory */
  bytesPerMs: number;
}

export interface Simulation extends Replay {
  /** hits that were requested ahead and had not arrived at the gate; `totals.hits` counts them */
  lateHits: number;
  /** prefetches that were evicted before they began, and moved nothing */
  prefetchCancelled: number;
  /** compute, and waits for experts that were loaded at the gate or ahead; they add up to the total */
  ms: { compute: number; demandWait: number; lateWait: number; total: number };
  loadMs: number;
  bytesMoved: number;
  stepEndMs: number[];
  /** of each layer of each step: when its gate had run, and its end */
  layers: { step: number; layer: number; attentionMs: number; gateMs: number; endMs: number;
    spans: { key: ExpertKey; startMs: number; endMs: number }[] }[];
  /** what the link did */
  loads: { key: ExpertKey; startMs: number; endMs: number; kind: "demand" | "prefetch" }[];
}

interface Waiting {
  key: ExpertKey;
  deadline: number;
  ticket: number;
  atMs: number;
}

/**
 * Plays a trace in virtual time: one resource computes, one serial link loads; a load that runs is not called back.
 * Demands go first, then prefetches by deadline, then by request. Decisions are those of `replay`: a clock makes hits
 * late, never others.
 *
 * @throws MoeError `bad-offload`, and what `replay` throws
 * @example simulate(trace, { policy: "lru", slots: 12 }, { attentionMs: 0.5, expertMs: 0.25,
 *   latencyMs: 0.25, bytesPerMs: 24e6 }).ms.total
 */
export function simulate(trace: RoutingTrace, options: ReplayOptions, cost: CostModel): Simulation {
  for (const [name, value] of Object.entries(cost))
    if (!(value >= 0 && value < Infinity) || (name === "bytesPerMs" && value === 0))
      throw new MoeError("bad-offload",
        `simulate: ${name} is ${value}; accepted is a number from 0, and bytesPerMs above 0. Change it.`);
  const bytes = bytesOf(trace, options.precision);
  const link = new Link(cost.latencyMs + bytes / cost.bytesPerMs);
  const ms = { compute: 0, demandWait: 0, lateWait: 0, total: 0 };
  const layers: Simulation["layers"] = [], stepEndMs: number[] = [];
  let now = 0, lateHits = 0, index = 0;
  const onDecision = (use: LayerUse, { hits, loads, prefetches }: Decision) => {
    const gate = now + cost.attentionMs;
    link.until(gate);
    const here = hits.filter((key) => link.arrival(key) <= gate), late = hits.filter((key) => !here.includes(key));
    lateHits += late.length;
    link.promote(late, gate);
    const isSerial = new Map(loads.map(({ key, serial }) => [key, serial]));
    for (const load of loads.filter(({ serial }) => !serial)) {
      if (load.victim !== undefined) link.evict(load.victim);
      link.demand(load, gate);
    }
    for (const { key, victim } of prefetches) {
      if (victim !== undefined) link.evict(victim);
      link.prefetch(key, index + 1, gate);
    }
    now = gate;
    ms.compute += cost.attentionMs;
    const spans: Simulation["layers"][number]["spans"] = [];
    const runs = (key: ExpertKey, wait: "lateWait" | "demandWait") => {
      const waited = Math.max(0, link.arrival(key) - now);
      ms[wait] += waited;
      now += waited + cost.expertMs;
      spans.push({ key, startMs: now - cost.expertMs, endMs: now });
      ms.compute += cost.expertMs;
    };
    for (const key of [...here].sort((a, b) => a - b)) runs(key, "demandWait");
    const awaited = [...late, ...loads.filter(({ serial }) => !serial).map(({ key }) => key)];
    awaited.sort((a, b) => link.arrival(a) - link.arrival(b) || a - b);
    for (const key of awaited) runs(key, isSerial.has(key) ? "demandWait" : "lateWait");
    // its slot was free only when the expert before it had run
    for (const load of loads.filter(({ serial }) => serial)) {
      link.evict(load.victim!);
      link.demand(load, now);
      runs(load.key, "demandWait");
    }
    layers.push({ step: use.step, layer: use.layer, attentionMs: cost.attentionMs, gateMs: gate, endMs: now, spans });
    index += 1;
    if (use.layer === trace.layers - 1) stepEndMs.push(now);
  };
  const replayed = replay(trace, { ...options, mode: "layer", onDecision });
  link.until(Infinity);
  ms.total = now;
  replayed.totals.prefetchWasted -= link.cancelled;
  return { ...replayed, lateHits, prefetchCancelled: link.cancelled, ms, loadMs: link.loadMs,
    bytesMoved: link.loads.length * bytes, stepEndMs, layers, loads: link.loads };
}

/** One serial link. */
class Link {
  readonly loads: Simulation["loads"] = [];
  cancelled = 0;
  private free = 0;
  private readonly arrivals = new Map<ExpertKey, number>();
  private waiting: Waiting[] = [];
  private tickets = 0;

  constructor(readonly loadMs: number) {}

  /** Infinity: not begun */
  arrival(key: ExpertKey): number {
    return this.arrivals.get(key) ?? Infinity;
  }

  private start(key: ExpertKey, at: number, kind: "demand" | "prefetch"): void {
    const startMs = Math.max(this.free, at);
    this.free = startMs + this.loadMs;
    this.arrivals.set(key, this.free);
    this.loads.push({ key, startMs, endMs: this.free, kind });
  }

  demand({ key }: Load, at: number): void {
    this.start(key, at, "demand");
  }
  prefetch(key: ExpertKey, deadline: number, atMs: number): void {
    this.waiting.push({ key, deadline, ticket: this.tickets++, atMs });
  }

  /** Prefetches that are needed now and have not begun go before all others, the oldest first. */
  promote(keys: readonly ExpertKey[], at: number): void {
    const now = this.waiting.filter(({ key }) => keys.includes(key)).sort((a, b) => a.ticket - b.ticket);
    this.waiting = this.waiting.filter((one) => !now.includes(one));
    for (const { key } of now) this.start(key, at, "demand");
  }

  /** Begins prefetches that can begin before this time: what is asked for at a gate comes before the link chooses. */
  until(time: number): void {
    while (this.waiting.length > 0) {
      const next = this.waiting.reduce((best, one) =>
        one.deadline < best.deadline || (one.deadline === best.deadline && one.ticket < best.ticket) ? one : best
      );
      if (Math.max(this.free, next.atMs) >= time) return;
      this.waiting = this.waiting.filter((one) => one !== next);
      this.start(next.key, next.atMs, "prefetch");
    }
  }

  /** One that has not begun moves nothing. */
  evict(key: ExpertKey): void {
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((one) => one.key !== key);
    if (this.waiting.length < before) this.cancelled += 1;
    this.arrivals.delete(key);
  }
}
