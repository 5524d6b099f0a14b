import { MoeError, suggest } from "../errors.js";
import { type Matrix, svd } from "../tensor/linalg/index.js";
import { Rng } from "../tensor/rng.js";
import { type Adapter, type AdapterModule, productOf } from "./adapter.js";
import { type Joining, joinTasks } from "./task-vectors.js";

const WAYS = ["cat", "linear", "svd", "ties", "ties_svd", "dare_linear", "dare_linear_svd", "dare_ties",
  "dare_ties_svd", "magnitude_prune", "magnitude_prune_svd"] as const;

/** peft's `combination_type`. */
export type Combination = typeof WAYS[number];

export interface CombineOptions {
  /** one per adapter, negative too; default 1 */
  weights?: readonly number[];
  /**
   * "cat": one after the other, the exact sum; "linear": A and B apart, of one rank; "svd": the sum of products cut to
   * `rank`; the others drop some of each first, of A and B, or with "_svd" of the products. Default "cat"
   */
  by?: Combination;
  /** share of numbers that stays, in (0, 1]; of ties, dare and magnitude_prune */
  density?: number;
  /** of ties: by the sum of the changes, or by the number of adapters; default "total" */
  sign?: "total" | "frequency";
  /** of the _svd forms; default the largest rank of the adapters */
  rank?: number;
  /** of dare's random choice; default 0 */
  seed?: number;
}

/** Which numbers stay, for values of somebody else's draws. */
export type Masks = (adapter: number, path: string, part: "a" | "b" | "product", length: number) => ArrayLike<number>;

/**
 * Combines adapters of one base into one, as peft's `add_weighted_adapter`, and with the scale that the sum needs: peft
 * takes over the first adapter's rsLoRA, which makes the result too large.
 *
 * @throws MoeError `bad-adapters` for what cannot be combined
 * @example const one = combineAdapters([a, b], { weights: [0.7, 0.3], by: "ties", density: 0.5 })
 */
export function combineAdapters(adapters: readonly Adapter[], options: CombineOptions = {}, masks?: Masks): Adapter {
  const { by = "cat", weights = adapters.map(() => 1) } = options;
  check(adapters, weights, { ...options, by });
  const random: Masks = (at, path, part, length) => {
    const rng = new Rng(options.seed ?? 0).fork(`${at} ${path} ${part}`);
    return Uint8Array.from({ length }, () => (rng.next() < options.density! ? 1 : 0));
  };
  const rank = by === "cat"
    ? adapters.reduce((sum, { config }) => sum + config.r, 0)
    : options.rank ?? Math.max(...adapters.flatMap(({ modules }) => [...modules.values()].map(({ rank }) => rank)));
  const modules = new Map<string, AdapterModule>();
  for (const path of new Set(adapters.flatMap(({ modules }) => [...modules.keys()]))) {
    const parts = adapters.flatMap(({ modules }, at) => {
      const module = modules.get(path);
      return module ? [{ at, module, weight: weights[at] }] : [];
    });
    const joined = by === "cat"
      ? inOne(parts, rank)
      : by.endsWith("svd")
      ? factored(path, parts, rank, joiner(by, options, masks ?? random))
      : apart(path, parts, joiner(by, options, masks ?? random));
    modules.set(path, { ...joined, rank: joined.a.rows, scale: 1,
      ...(parts[0].module.embedding && { embedding: true }) });
  }
  const ranks = new Set([...modules.values()].map(({ rank }) => rank));
  const config = { r: [...ranks][0], lora_alpha: [...ranks][0], use_rslora: false, use_dora: false, lora_bias: false,
    rank_pattern: {}, alpha_pattern: {}, target_modules: [...modules.keys()], exclude_modules: [],
    target_parameters: [] };
  return { id: adapters.map(({ id }) => id).join("+"), config, modules, whole: new Map(), rows: new Map() };
}

type Part = { at: number; module: AdapterModule; weight: number };
type Join = (
  path: string,
  part: "a" | "b" | "product",
  tasks: Float32Array[],
  weights: number[],
  at: number[],
) => Float32Array;

function joiner(by: Combination, { density = 1, sign = "total" }: CombineOptions, masks: Masks): Join {
  return (path, part, tasks, weights, at) => {
    const keep: Joining["keep"] = by.startsWith("dare")
      ? { by: "random", density, mask: (task) => masks(at[task], path, part, tasks[task].length) }
      : by.startsWith("ties") || by.startsWith("magnitude")
      ? { by: "magnitude", density }
      : undefined;
    return joinTasks(tasks, { weights, keep, ...(by.includes("ties") && { elect: sign }) });
  };
}

/** A and B apart, each with the root of what they are weighted by, the sign with A. */
function apart(path: string, parts: Part[], join: Join): { a: Matrix; b: Matrix } {
  const roots = parts.map(({ module, weight }) => Math.sqrt(Math.abs(weight * module.scale)));
  const at = parts.map(({ at }) => at);
  const joined = (part: "a" | "b", weights: number[]): Matrix => {
    const { rows, columns } = parts[0].module[part];
    const tasks = parts.map(({ module }) => Float32Array.from(module[part].data));
    return { rows, columns, data: join(path, part, tasks, weights, at) };
  };
  return { a: joined("a", roots.map((root, i) => root * Math.sign(parts[i].weight))), b: joined("b", roots) };
}

/** The exact sum: factors one after the other, rows of zeros where an adapter has no such module. */
function inOne(parts: Part[], rank: number): { a: Matrix; b: Matrix } {
  const [{ module: { a: { columns }, b: { rows } } }] = parts;
  const a = new Float32Array(rank * columns), b = new Float32Array(rows * rank);
  let before = 0;
  for (const { module, weight } of parts) {
    a.set(Float32Array.from(module.a.data, (value) => weight * module.scale * value), before * columns);
    for (let o = 0; o < rows; o++)
      for (let k = 0; k < module.rank; k++) b[o * rank + before + k] = module.b.data[o * module.rank + k];
    before += module.rank;
  }
  return { a: { rows: rank, columns, data: a }, b: { rows, columns: rank, data: b } };
}

/** The products joined, and the result cut to a rank: A = V^T, B = U S. */
function factored(path: string, parts: Part[], rank: number, join: Join): { a: Matrix; b: Matrix } {
  const [{ module: { a: { columns }, b: { rows } } }] = parts;
  const products = parts.map(({ module }) => productOf(module).values.map((value) => module.scale * value));
  const sum = join(path, "product", products, parts.map(({ weight }) => weight), parts.map(({ at }) => at));
  const { u, s, v } = svd({ rows, columns, data: sum });
  const kept = Math.min(rank, s.length);
  const a = new Float32Array(rank * columns), b = new Float32Array(rows * rank);
  for (let k = 0; k < kept; k++) {
    for (let i = 0; i < columns; i++) a[k * columns + i] = v.data[i * v.columns + k];
    for (let o = 0; o < rows; o++) b[o * rank + k] = u.data[o * u.columns + k] * s[k];
  }
  return { a: { rows: rank, columns, data: a }, b: { rows, columns: rank, data: b } };
}

function check(
  adapters: readonly Adapter[],
  weights: readonly number[],
  options: CombineOptions & { by: Combination },
) {
  const { by, density, rank } = options;
  const refuse = (seen: string, todo: string) => new MoeError("bad-adapters", `combine: ${seen}; ${todo}`);
  if (adapters.length === 0) throw refuse("there is no adapter", "accepted is at least one.");
  if (!WAYS.includes(by)) throw refuse(`by is ${JSON.stringify(by)}`, suggest(String(by), WAYS));
  if (weights.length !== adapters.length || !weights.every(Number.isFinite))
    throw refuse(`weights are ${JSON.stringify(weights).slice(0, 80)} for ${adapters.length} adapters`,
      "accepted is one finite number for each.");
  const drops = /ties|dare|magnitude/.test(by);
  if (drops !== (density !== undefined) || (drops && !(density! > 0 && density! <= 1)))
    throw refuse(`density is ${density} for "${by}"`,
      "accepted is a share above 0 and at most 1 for ties, dare and magnitude_prune, and none for the others.");
  if (rank !== undefined && !(by.endsWith("svd") && Number.isInteger(rank) && rank >= 1))
    throw refuse(`rank is ${rank} for "${by}"`, "accepted is a whole number from 1 for the forms with svd.");
  for (const { id, modules, whole, rows } of adapters) {
    const what = whole.size + rows.size > 0
      ? `${[...whole.keys(), ...rows.keys()][0]} as a whole`
      : [...modules.values()].some(({ magnitude }) => magnitude)
      ? "DoRA magnitudes"
      : [...modules.values()].some(({ bias }) => bias)
      ? "biases"
      : [...modules.values()].some(({ a, rank }) => a.rows !== rank)
      ? "experts in one tensor"
      : undefined;
    if (what)
      throw refuse(`adapter ${id} has ${what}`, "accepted are plain LoRA adapters. Put it on the model as it is.");
  }
  const shapes = new Map<string, { id: string; a: Matrix; b: Matrix }>();
  for (const { id, modules } of adapters) {
    for (const [path, { a, b }] of modules) {
      const first = shapes.get(path) ?? { id, a, b };
      shapes.set(path, first);
      if (first.a.columns !== a.columns || first.b.rows !== b.rows)
        throw refuse(
          `${path} is ${b.rows} x ${a.columns} in ${id}, ${first.b.rows} x ${first.a.columns} in ${first.id}`,
          "accepted are adapters of one base.",
        );
      if (first.a.rows !== a.rows && by !== "cat" && !by.endsWith("svd"))
        throw refuse(`${path} has rank ${a.rows} in ${id}, ${first.a.rows} in ${first.id}`,
          `"${by}" accepts one rank alone. Combine by "cat" or by "${by === "linear" ? "svd" : `${by}_svd`}".`);
    }
  }
}
