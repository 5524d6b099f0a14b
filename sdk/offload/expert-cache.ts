import { MoeError } from "../errors.js";
import type { ExpertKey, Policy, PoolView, Slot } from "./policy.js";

/** A load and what makes room for it. */
export interface Load {
  key: ExpertKey;
  /** undefined: a free slot */
  victim: ExpertKey | undefined;
  /** all slots were needed by this layer: its first executed expert went, so this one loads after that one ran */
  serial?: true;
}

/** How one layer's experts are got, and what is loaded ahead. */
export interface Decision {
  hits: ExpertKey[];
  loads: Load[];
  prefetches: Load[];
  /** predictions for which there was no room */
  dropped: number;
}

export interface CacheOptions {
  layers: number;
  experts: number;
  /** one pool for each layer, of `slots` each, or one for all */
  pool: "layer" | "global";
  slots: number;
  policy(): Policy;
  view: PoolView;
}

/**
 * Which experts are in fast memory. Decisions are taken when a load is requested and know no clock: an engine over
 * files and a simulator that ask the same way get the same hits.
 */
export class ExpertCache {
  private readonly pools: Pool[];

  /** @throws MoeError `bad-offload` */
  constructor(private readonly options: CacheOptions) {
    const { layers, pool, slots, policy } = options;
    if (!Number.isInteger(slots) || slots < 1)
      throw new MoeError("bad-offload",
        `offload: slots is ${slots}; accepted is a whole number from 1. Change { slots }.`);
    this.pools = Array.from({ length: pool === "layer" ? layers : 1 }, () => new Pool(slots, policy(), options.view));
  }

  /** experts in all pools */
  get resident(): number {
    return this.pools.reduce((sum, { slots }) => sum + slots.size, 0);
  }
  private pool(layer: number): Pool {
    return this.pools[this.options.pool === "layer" ? layer : 0];
  }

  /**
   * A layer needs these experts at once: those that are there are used first, then the others, both by rising number.
   *
   * @param onLoad called after each load, when the pools are fullest
   */
  need(layer: number, experts: readonly number[], onLoad = () => {}): Pick<Decision, "hits" | "loads"> {
    const pool = this.pool(layer), keys = experts.map((expert) => layer * this.options.experts + expert);
    const hits = keys.filter((key) => pool.slots.has(key));
    for (const key of hits) pool.use(key);
    const pinned = new Set(keys);
    const ran = [...hits];
    const loads = keys.filter((key) => !hits.includes(key)).map((key): Load => {
      const room = pool.room(pinned);
      const victim = room === "none"
        ? ran.find((before) => pool.slots.has(before))!
        : room === "free"
        ? undefined
        : room;
      if (victim !== undefined) pool.evict(victim);
      pool.enter(key);
      ran.push(key);
      onLoad();
      return { key, victim, ...(room === "none" && { serial: true }) };
    });
    return { hits, loads };
  }

  /** Experts of a layer that is to come are loaded ahead, in their order, where there is room. */
  expect(
    layer: number,
    experts: readonly number[],
    running: readonly ExpertKey[],
    onLoad = () => {},
  ): Pick<Decision, "prefetches" | "dropped"> {
    const pool = this.pool(layer), keys = experts.map((expert) => layer * this.options.experts + expert);
    const pinned = new Set([...running, ...keys]);
    const prefetches: Load[] = [];
    let dropped = 0;
    for (const key of keys) {
      if (pool.slots.has(key)) continue;
      const room = pool.room(pinned);
      if (room === "none") {
        dropped += 1;
        continue;
      }
      const victim = room === "free" ? undefined : room;
      if (victim !== undefined) pool.evict(victim);
      pool.enter(key, true);
      prefetches.push({ key, victim });
      onLoad();
    }
    return { prefetches, dropped };
  }
}

class Pool {
  readonly slots = new Map<ExpertKey, Slot>();
  private clock = 0;

  constructor(private readonly size: number, private readonly policy: Policy, private readonly view: PoolView) {}

  use(key: ExpertKey): void {
    const slot = this.slots.get(key)!;
    slot.lastUse = ++this.clock;
    slot.uses += 1;
    this.policy.used?.(slot);
  }

  enter(key: ExpertKey, ahead = false): void {
    const now = ++this.clock;
    const slot = { key, entered: now, lastUse: now, uses: ahead ? 0 : 1 };
    this.slots.set(key, slot);
    if (ahead) this.policy.prefetched?.(slot);
    else this.policy.used?.(slot);
  }

  /** What makes room: nothing has to, an expert, or none may go. @throws MoeError `bad-policy` */
  room(pinned: ReadonlySet<ExpertKey>): ExpertKey | "free" | "none" {
    if (this.slots.size < this.size) return "free";
    const may = [...this.slots.values()].filter(({ key }) => !pinned.has(key)).sort((a, b) => a.key - b.key);
    if (may.length === 0) return "none";
    const victim = this.policy.victim(may, this.view);
    if (!may.includes(victim))
      throw new MoeError("bad-policy",
        `offload: the policy gave ${victim ? `expert ${victim.key}, which is in use or not there` : "no expert"}; `
          + "accepted is one of the slots that it was given. Return one of them.");
    return victim.key;
  }

  evict(key: ExpertKey): void {
    const slot = this.slots.get(key)!;
    this.slots.delete(key);
    this.policy.evicted?.(slot);
  }
}
