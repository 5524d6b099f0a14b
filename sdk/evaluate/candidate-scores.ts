import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import type { Metric, Sample } from "../method/lab.js";
import type { Changes } from "../method/method.js";
import type { Model } from "../model/model.js";
import { layerId, layerIds, type ModelSpec } from "../model/spec.js";
import type { SweepOptions } from "../model/sweep.js";
import type { WeightSource } from "../model/weight-source.js";
import type { Draws } from "../tensor/draws.js";
import { crossEntropy, tf } from "../tensor/index.js";
import { positions } from "./divergence.js";
import { LayerVariants } from "./layer-variants.js";
import { PrefixCache } from "./prefix-cache.js";
import type { TaskBatch } from "./teacher-logits.js";
import { TopLogits } from "./top-logits.js";

/** Tokens of one batch: enough for the products to be large, few enough for the logits of all to fit. */
const BATCH_TOKENS = 4096;

interface Prepared {
  key: string;
  batches: TaskBatch[];
  teacher?: Promise<TopLogits[]>;
}

/**
 * Scores changed models on samples of a model's data, as cheaply as it goes: a variant of a layer is made once, a sweep
 * begins where it differs from those before, and the teacher's logits on a sample are computed once.
 */
export class CandidateScores {
  private readonly rows: TaskBatch[];
  private readonly lengths: number[];
  private readonly variants: LayerVariants;
  private readonly prefixes: PrefixCache;
  private prepared?: Prepared;

  /** @param options.top logits of the teacher that are kept of each position; default 512 */
  constructor(
    private readonly model: Model,
    batches: readonly TaskBatch[],
    private readonly options: { tensors?: Readonly<Record<string, WeightSource>>; top?: number; signal?: AbortSignal } =
      {},
  ) {
    this.rows = batches.flatMap(({ ids, labels, ...rest }) =>
      ids.map((row, at): TaskBatch => ({ ids: [row], labels: [labels[at]],
        ...Object.fromEntries(Object.entries(rest).filter(([key, value]) =>
          key !== "rows" && value
        ).map(([key, value]) => [key, [(value as number[][])[at]]])) })
      )
    );
    this.lengths = this.rows.map(({ labels: [row] }) => row.filter((label) => label >= 0).length);
    const { bytes } = model.memory;
    this.variants = new LayerVariants(model, options.tensors, Math.min(2 ** 30, bytes / 2));
    this.prefixes = new PrefixCache(Math.min(2 ** 28, bytes / 8));
  }

  /** labelled tokens of all items */
  get tokens(): number {
    return this.lengths.reduce((sum, length) => sum + length, 0);
  }

  /** See `Lab`. @throws MoeError `too-few-tokens` */
  sample(tokens: number | undefined, draws: Draws): Sample {
    const all = this.tokens;
    if (tokens === undefined || tokens === all) return { items: this.rows.map((_, item) => item), tokens: all };
    if (tokens > all)
      throw new MoeError("too-few-tokens",
        `search: a stage scores ${tokens} tokens, the profile's data has ${all}; accepted are at most as many. Profile `
          + "more items, or score fewer tokens.");
    const items: number[] = [];
    for (let left = tokens; left > 0;) {
      const item = draws.whole(0, this.rows.length - 1);
      if (items.includes(item)) continue;
      items.push(item);
      left -= this.lengths[item];
    }
    return { items, tokens };
  }

  /** Mean over the tokens of a sample, or over its items for "error". Not finite where the changed model is not. */
  async score(changes: Changes, on: Sample, metric: Metric): Promise<number> {
    const prepared = this.prepare(on);
    const teacher = metric === "kl" ? await (prepared.teacher ??= this.teach(prepared)) : undefined;
    const sums = { total: 0, count: 0 };
    try {
      await this.sweep(changes, prepared, async (logits, batch) => {
        const values = await measured(logits, prepared.batches[batch], metric, teacher?.[batch]);
        for (const value of values) sums.total += value;
        sums.count += values.length;
      });
    } catch (error) {
      if (error instanceof MoeError && error.code === "not-finite") return Infinity;
      throw error;
    }
    return Number.isFinite(sums.total) ? sums.total / sums.count : Infinity;
  }

  async dispose(): Promise<void> {
    this.prefixes.dispose();
    await this.variants.dispose();
  }

  private async sweep(changes: Changes, { key, batches }: Prepared, see: Show): Promise<void> {
    const { signal } = this.options;
    if (signal?.aborted) throw new MoeError("aborted", "search: stopped at the caller's request.");
    const options: SweepOptions = { signal, sites: ["logits"], async onSite(record, { batch }) {
      if (record.site !== "logits") return;
      const rows = labelled(record.logits, batches[batch]);
      try {
        await see(rows, batch);
      } finally {
        rows.dispose();
      }
    } };
    const others = this.model.streams ? undefined : await this.variants.of(changes);
    if (others)
      return this.model.sweepWith(others, batches, { ...options,
        state: this.prefixes.keeper(prefixKeys(this.model.spec, changes, key)) });
    const changed = await this.variants.whole(changes);
    try {
      await changed.sweep(batches, options);
    } finally {
      await changed.dispose();
    }
  }

  private async teach(prepared: Prepared): Promise<TopLogits[]> {
    const teacher: TopLogits[] = [];
    await this.sweep({ layers: {} }, prepared, async (logits, batch) => {
      teacher[batch] = await TopLogits.of(logits, this.options.top ?? 512);
    });
    return teacher;
  }

  /** Rows of one shape together; tokens beyond the sample lose their labels. */
  private prepare({ items, tokens }: Sample): Prepared {
    const key = `${items.join()} ${tokens}`;
    if (this.prepared?.key === key) return this.prepared;
    const groups = new Map<string, TaskBatch[]>();
    let left = tokens;
    for (const item of items) {
      const row = this.rows[item];
      const cut = left < this.lengths[item] ? { ...row, labels: [shortened(row.labels[0], left)] } : row;
      left -= this.lengths[item];
      const shape = Object.values(row).map(([values]) => values.length).join();
      groups.set(shape, [...(groups.get(shape) ?? []), cut]);
    }
    const batches = [...groups.values()].flatMap((rows) => {
      const each = Math.max(1, Math.floor(BATCH_TOKENS / rows[0].ids[0].length));
      return Array.from({ length: Math.ceil(rows.length / each) },
        (_, at) => joined(rows.slice(at * each, (at + 1) * each)));
    });
    return (this.prepared = { key, batches });
  }
}

type Show = (logits: Tensor, batch: number) => Promise<void>;

/** What happened up to each layer, in running order. */
function prefixKeys(
  spec: ModelSpec,
  { layers, weights = {}, units = {} }: Changes,
  sample: string,
): Map<string, string> {
  const ids = layerIds(spec);
  const of = (id: string) =>
    JSON.stringify([layers[id], ...[weights, units].map((all) =>
      Object.entries(all).filter(([name]) => name.startsWith(`${id}.`))
    )]);
  const keys = new Map<string, string>();
  let before = sample;
  for (const stack of ["encoder", "decoder"] as const) {
    (spec[stack]?.layers ?? []).forEach((_, index) => {
      const id = layerId(stack, index);
      if (!ids.includes(id)) return;
      before += `|${of(id)}`;
      keys.set(`${stack} ${index + 1}`, before);
    });
  }
  return keys;
}

async function measured(
  logits: Tensor,
  { labels }: TaskBatch,
  metric: Metric,
  teacher?: TopLogits,
): Promise<ArrayLike<number> & Iterable<number>> {
  if (metric === "kl") return teacher!.kl(logits);
  const right = labels.flat().filter((label) => label >= 0);
  const values = tf.tidy(() =>
    metric === "nll" ? crossEntropy(logits, tf.tensor1d(right, "int32")) : tf.argMax(logits, -1)
  );
  const all = await values.data();
  values.dispose();
  if (metric === "nll") return all as Float32Array;
  let at = 0;
  return labels.filter((row) => row.some((label) => label >= 0)).map((row) => {
    const wrong = row.filter((label) => label >= 0).map((label) => (all[at++] === label ? 0 : 1));
    return Math.max(...wrong);
  });
}

function labelled(logits: Tensor, { labels }: TaskBatch): Tensor {
  return positions(logits, labels.flatMap((row) => row.map((label) => (label >= 0 ? 1 : 0))));
}

function shortened(labels: readonly number[], left: number): number[] {
  return labels.map((label) => (label >= 0 && left-- > 0 ? label : -1));
}

function joined(rows: readonly TaskBatch[]): TaskBatch {
  return Object.fromEntries(
    Object.keys(rows[0]).map((key) => [key, rows.flatMap((row) => row[key as keyof TaskBatch] as number[][])]),
  ) as unknown as TaskBatch;
}
