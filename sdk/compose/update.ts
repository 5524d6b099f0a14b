import { MoeError } from "../errors.js";
import type { WeightSource } from "../model/weight-source.js";
import { golombLength, golombParameter } from "../tensor/formats/golomb.js";
import { Rng } from "../tensor/rng.js";

/** What stays, and which magnitude it gets: its own, one for all of it, or the mean of each tensor's. */
const WAYS = {
  compeft: { keeps: "largest", magnitude: "deviation" },
  stc: { keeps: "largest", magnitude: "mean" },
  prune: { keeps: "largest", magnitude: "own" },
  bitdelta: { keeps: "all", magnitude: "mean of tensor" },
  dare: { keeps: "random", magnitude: "own" },
} as const;

/** How what training changed is made small. */
export interface UpdateOptions {
  /**
   * "compeft": signs of the largest changes times one number, alpha standard deviations of all of them; the rivals:
   * "stc": signs times the mean magnitude of those kept; "prune": the largest as they are; "bitdelta": all signs, one
   * mean magnitude a tensor; "dare": random ones scaled up
   */
  by: keyof typeof WAYS;
  /** share of the changes that stays, in (0, 1]; of all but bitdelta */
  density?: number;
  /** of compeft; default 1 */
  alpha?: number;
  /** which are the largest: exactly as many, ties by place (default), or as released, one more and all ties */
  top?: "exact" | "released";
  /** over what the largest and the deviation are: the whole vector (default), or each tensor for itself */
  per?: "model" | "tensor";
  /** of dare's choice; default 0 */
  seed?: number;
}

/** A small change of a model's weights; tensors that do not change are not in it. */
export interface Update {
  by: string;
  /** numbers of all changed tensors, and those that are not zero */
  parameters: number;
  kept: number;
  /** the one magnitude, where there is one */
  scale?: number;
  /** what it takes with Golomb-coded places and a sign each: four bytes for one magnitude, two for each of many */
  sizeBytes: number;
  tensors: ReadonlyMap<string, { shape: number[]; values: Float32Array }>;
  /** all weights of the model in their sorted order: what places are counted over */
  layout: readonly { name: string; shape: number[] }[];
}

/** A difference of two models by name, read when it is asked for. */
export interface TaskVector {
  names: readonly string[];
  shape(name: string): number[];
  values(name: string): Promise<Float32Array>;
}

/**
 * What training changed: tuned minus base, by the names of both, in their sorted order.
 *
 * @throws MoeError `bad-update` for models of other names or shapes
 */
export function taskVector(base: WeightSource, tuned: WeightSource): TaskVector {
  const names = [...tuned.names()].sort();
  const other = names.find((name) => !base.has(name) || base.info(name).shape.join() !== tuned.info(name).shape.join())
    ?? [...base.names()].find((name) => !tuned.has(name));
  if (other !== undefined)
    throw new MoeError("bad-update",
      `update: ${other} is not the same weight in both models; accepted are a model and what it was trained from. `
        + "Compare a tuned model with its own base.");
  return { names, shape: (name) => tuned.info(name).shape, async values(name) {
    const [after, before] = [await tuned.values(name), await base.values(name)];
    return after.map((value, i) => value - before[i]);
  } };
}

/**
 * Compresses an update: ComPEFT (arXiv 2311.13171, section 2.1) or a rival. The whole vector is read twice, once for
 * its deviation and the magnitude from which on changes stay, once for what stays.
 *
 * @throws MoeError `bad-update` for options out of range and numbers that are not finite
 * @example const small = await compressUpdate(taskVector(base, tuned), { by: "compeft", density: 0.05, alpha: 4 });
 */
export async function compressUpdate(tau: TaskVector, options: UpdateOptions): Promise<Update> {
  const { by, alpha = 1, top = "exact", per = "model", seed = 0 } = options;
  check(options);
  if (per === "tensor") return tensorByTensor(tau, options);
  const { keeps, magnitude } = WAYS[by];
  const density = keeps === "all" ? 1 : options.density!;
  const seen = await measured(tau);
  const wanted = Math.floor(seen.count * density);
  const limit = keeps === "random" || wanted === 0 ? { from: 0, ties: 0 } : await border(tau, seen, wanted, top);
  const rng = new Rng(seed);
  let { ties } = limit;
  const stays = (value: number): boolean => {
    if (keeps === "random") return rng.next() < density;
    const size = Math.abs(value);
    return wanted > 0 && (size > limit.from || (size === limit.from && ties-- > 0));
  };
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  let kept = 0, sum = 0;
  for (const name of tau.names) {
    const values = (await tau.values(name)).map((value) => (stays(value) && value !== 0 ? value : 0));
    const there = values.reduce((n, value) => n + (value === 0 ? 0 : 1), 0);
    if (there === 0) continue;
    kept += there;
    const total = values.reduce((all, value) => all + Math.abs(value), 0);
    sum += total;
    if (magnitude === "mean of tensor")
      values.forEach((value, i) => (values[i] = Math.sign(value) * total / values.length));
    if (keeps === "random") values.forEach((value, i) => (values[i] = value / density));
    tensors.set(name, { shape: tau.shape(name), values });
  }
  const scale = magnitude === "deviation"
    ? alpha * seen.deviation
    : magnitude === "mean"
    ? sum / Math.max(1, kept)
    : undefined;
  if (scale !== undefined) {
    for (const { values } of tensors.values()) values.forEach((value, i) => (values[i] = Math.sign(value) * scale));
  }
  const sizeBytes = keeps === "all"
    ? Math.ceil(seen.count / 8) + 2 * tensors.size
    : codedBytes(tau, tensors, magnitude === "own");
  return { by, parameters: seen.count, kept, ...(scale !== undefined && { scale }), sizeBytes, tensors,
    layout: tau.names.map((name) => ({ name, shape: tau.shape(name) })) };
}

/** Each tensor as if it were all. */
async function tensorByTensor(tau: TaskVector, options: UpdateOptions): Promise<Update> {
  const parts: Update[] = [];
  for (const [at, name] of tau.names.entries())
    parts.push(
      await compressUpdate({ ...tau, names: [name] }, { ...options, per: "model", seed: (options.seed ?? 0) + at }),
    );
  const sum = (of: (part: Update) => number) => parts.reduce((all, part) => all + of(part), 0);
  return { by: options.by, parameters: sum(({ parameters }) => parameters), kept: sum(({ kept }) => kept),
    sizeBytes: sum(({ sizeBytes }) => sizeBytes), tensors: new Map(parts.flatMap(({ tensors }) => [...tensors])),
    layout: parts.flatMap(({ layout }) => layout) };
}

/** Places of all tensors in one stream, a sign each and one number, or 16 bits each. */
function codedBytes(tau: TaskVector, tensors: Update["tensors"], own: boolean): number {
  let total = 0, kept = 0, last = -1, offset = 0, bits = 0;
  const sizes = tau.names.map((name) => tau.shape(name).reduce((product, n) => product * n, 1));
  for (const size of sizes) total += size;
  for (const { values } of tensors.values()) for (const value of values) if (value !== 0) kept += 1;
  const m = golombParameter(kept / total);
  tau.names.forEach((name, at) => {
    tensors.get(name)?.values.forEach((value, i) => {
      if (value === 0) return;
      bits += golombLength(offset + i - last - 1, m) + (own ? 16 : 1);
      last = offset + i;
    });
    offset += sizes[at];
  });
  return Math.ceil(bits / 8) + (own ? 0 : 4);
}

/** Bits of a magnitude as float32, and so in its order. */
const view = new Float32Array(1), whole = new Uint32Array(view.buffer);
function bitsOf(magnitude: number): number {
  view[0] = magnitude;
  return whole[0];
}

/** Count, sample deviation, and how many magnitudes begin with which 16 bits. */
async function measured(tau: TaskVector): Promise<{ count: number; deviation: number; bins: Uint32Array }> {
  const bins = new Uint32Array(1 << 16);
  let count = 0, mean = 0, squares = 0;
  for (const name of tau.names)
    for (const value of await tau.values(name)) {
      if (!Number.isFinite(value))
        throw new MoeError("bad-update",
          `update: ${name} changed by ${value}; accepted are finite numbers. Look at the training.`);
      count += 1;
      const from = value - mean;
      mean += from / count;
      squares += from * (value - mean);
      bins[bitsOf(Math.abs(value)) >>> 16] += 1;
    }
  return { count, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, bins };
}

/** The least magnitude that stays, and how many of those equal to it. */
async function border(
  tau: TaskVector,
  { bins, count }: { bins: Uint32Array; count: number },
  wanted: number,
  top: "exact" | "released",
): Promise<{ from: number; ties: number }> {
  // the released code's threshold is the (count - wanted)-th smallest, counted from one
  const rank = top === "exact" ? wanted : Math.min(count, wanted + 1);
  let above = 0, bin = bins.length - 1;
  while (above + bins[bin] < rank) above += bins[bin--];
  const inside: number[] = [];
  for (const name of tau.names)
    for (const value of await tau.values(name))
      if (bitsOf(Math.abs(value)) >>> 16 === bin) inside.push(Math.abs(value));
  const falling = Float32Array.from(inside).sort().reverse();
  const from = falling[rank - above - 1];
  const larger = falling.findIndex((magnitude) => magnitude === from);
  return { from, ties: top === "exact" ? rank - above - larger : Infinity };
}

function check({ by, density, alpha = 1, per = "model" }: UpdateOptions): void {
  const refuse = (seen: string, todo: string) => new MoeError("bad-update", `update: ${seen}; ${todo}`);
  if (!Object.hasOwn(WAYS, by))
    throw refuse(`by is ${JSON.stringify(by)}`, `accepted are ${Object.keys(WAYS).join(", ")}.`);
  if ((WAYS[by].keeps === "all") !== (density === undefined)
    || (density !== undefined && !(density > 0 && density <= 1)))
    throw refuse(`density is ${density} of "${by}"`,
      "accepted is a share above 0 and at most 1, and none for bitdelta. Change { density }.");
  if (per !== "model" && per !== "tensor")
    throw refuse(`per is ${JSON.stringify(per)}`, "accepted are model and tensor.");
  if (!(alpha > 0 && alpha < Infinity))
    throw refuse(`alpha is ${alpha}`, "accepted is a number above 0. Change { alpha }.");
}
