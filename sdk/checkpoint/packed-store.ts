import { FormatError, MoeError } from "../errors.js";
import type { TensorInfo } from "../model/weight-source.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import type { NumberFormat, Parts } from "../tensor/formats/number-format.js";
import type { Layout, PackedWeight, Settings } from "./packed/layout.js";
import { layouts } from "./packed/layouts.js";
import type { Range, TensorStore } from "./tensor-store.js";

/** A weight that is shown, and the tensors that it is. */
interface Packed {
  layout: Layout;
  /** name of each tensor by its ending, in the order of the weight's bytes */
  names: Map<string, string>;
  weight: PackedWeight;
}

/** Scales of keys, values and queries that a cache of eight bits would have. */
const CACHE_SCALE = /\.(?:[kqv]|kv|k_proj\.k|v_proj\.v|prob)_(?:scale|zero_point)$/;
const KEYS = [...new Set(layouts.map(({ key }) => key))];

/**
 * Shows weights that lie packed in several tensors of a checkpoint under their plain names; all other tensors pass
 * through. Its bytes are those of its tensors, one after the other. Which tensors are packed, and how, is found from
 * those that are there, so that modules that stayed as they were are read as they are; `quantization_config` of
 * config.json says what names and shapes do not.
 *
 * @returns the store itself where nothing is packed; `notes`: what is not used, in sentences
 * @throws FormatError `packed` with the name of a weight whose tensors do not belong together
 * @example const { store } = await packedStore(await openTensors(folder), config.quantization_config)
 */
export async function packedStore(
  store: TensorStore,
  settings: Settings = {},
): Promise<{ store: TensorStore; notes: string[] }> {
  const { weights, hidden, besides } = await find(store, settings);
  if (weights.size === 0) return { store, notes: [] };
  const notes = besides === 0
    ? []
    : [
      `load: ${besides} tensors about the quantisation of activations or caches are left out; weights alone are read.`,
    ];
  return { store: shown(store, weights, hidden), notes };
}

async function find(store: TensorStore, settings: Settings) {
  const weights = new Map<string, Packed>();
  const hidden = new Set<string>();
  let besides = 0;
  for (const name of store.names()) {
    const key = KEYS.find((ending) => name.endsWith(ending));
    if (key === undefined || hidden.has(name)) continue;
    const base = name.slice(0, -key.length);
    const layout = layoutOf(store, base, key, name, settings);
    if (!layout) continue;
    const shownName = base + layout.weight;
    const names = new Map<string, string>();
    for (const ending of [...layout.parts, ...layout.optional ?? []])
      if (store.has(base + ending)) names.set(ending, store.own?.(base + ending) ?? base + ending);
    const tensors = infosOf(store, names);
    const weight = await named(shownName, layout, () =>
      layout.describe(tensors, settings, (ending) => store.bytes(names.get(ending)!), shownName));
    weights.set(shownName, { layout, names, weight });
    for (const part of names.values()) hidden.add(part);
    for (const ending of layout.beside ?? []) {
      const beside = ending.startsWith("^") ? base.replace(/\.weight$/, "") + ending.slice(1) : base + ending;
      if (!store.has(beside) || hidden.has(beside)) continue;
      hidden.add(beside);
      if (/(?:input|output|activation)_/.test(ending)) besides++;
    }
  }
  if (weights.size > 0) {
    for (const name of store.names()) {
      if (!CACHE_SCALE.test(name) || hidden.has(name)) continue;
      hidden.add(name);
      besides++;
    }
  }
  return { weights, hidden, besides };
}

/** Names that something else may end with: without the other tensors they are plain. */
const COMMON = new Set(["_scale", "_scale_inv", "_blocks", ".absmax", ".scale", ".shape"]);

function layoutOf(store: TensorStore, base: string, key: string, name: string, settings: Settings): Layout | undefined {
  const all = layouts.filter((layout) => layout.key === key);
  const whole = all.filter(({ parts }) => parts.every((ending) => store.has(base + ending)));
  const found = whole.find(({ parts, accepts }) =>
    !accepts || accepts(infosOf(store, new Map(parts.map((ending) => [ending, base + ending]))), settings)
  );
  if (found || COMMON.has(key)) return found;
  const [{ parts, name: layout }] = whole.length > 0 ? whole : all;
  const absent = parts.filter((ending) => !store.has(base + ending));
  const info = store.info(name);
  throw new FormatError("packed",
    `load: ${name} is ${info.dtype} [${info.shape}]${
      absent.length ? ` without ${absent.join(", ")}` : ""
    }; accepted are `
      + `the tensors of ${all.map((each) => each.name).join(", ")}: ${
        (absent.length ? parts : [...parts, "of shapes that belong together"]).join(", ")
      } (here of ${layout}). Fetch all shards of one revision.`);
}

function infosOf(store: TensorStore, names: ReadonlyMap<string, string>): Parts<TensorInfo> {
  return Object.fromEntries([...names].map(([ending, name]) => [ending, store.info(name)]));
}

/** Faults say which weight they are about, and what packed it. */
async function named<T>(name: string, { name: layout }: Layout, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MoeError) || !["packed", "bad-format", "mxfp4-length"].includes(error.code)) throw error;
    throw new FormatError("packed", error.message.replace(/^\w+: /, `load: ${name} (${layout}): `), { cause: error });
  }
}

function shown(store: TensorStore, weights: ReadonlyMap<string, Packed>, hidden: ReadonlySet<string>): TensorStore {
  return {
    metadata: store.metadata,
    readBytes: store.readBytes,
    close: () => store.close(),
    *names() {
      for (const name of store.names()) if (!hidden.has(name)) yield name;
      yield* weights.keys();
    },
    has: (name) => weights.has(name) || (store.has(name) && !hidden.has(name)),
    info(name) {
      const packed = weights.get(name);
      if (!packed) return store.info(name);
      const { shape, format } = packed.weight;
      const sizeBytes = sizesOf(store, packed).reduce((sum, [, size]) => sum + size, 0);
      return { dtype: formatName(format), shape: [...shape], sizeBytes, format };
    },
    bytes(name, range, into) {
      const packed = weights.get(name);
      return packed ? joinedBytes(store, sizesOf(store, packed), range) : store.bytes(name, range, into);
    },
    parts(name) {
      const packed = weights.get(name);
      if (!packed) return store.parts?.(name);
      const { layout, names, weight: { parts } } = packed;
      return parts && (() =>
        named(name, layout, async () => {
          const bytes: Parts<Uint8Array> = {};
          for (const [ending, tensor] of names) bytes[ending] = await store.bytes(tensor);
          return parts(bytes);
        }));
    },
    values(name, rows) {
      const packed = weights.get(name);
      return packed ? named(name, packed.layout, () => valuesOf(store, packed, rows)) : store.values(name, rows);
    },
  };
}

function sizesOf(store: TensorStore, { names }: Packed): [name: string, sizeBytes: number][] {
  return [...names.values()].map((name) => [name, store.info(name).sizeBytes]);
}

/** The bytes of several tensors as if one followed the other. */
async function joinedBytes(
  store: TensorStore,
  tensors: readonly [name: string, sizeBytes: number][],
  range?: Range,
): Promise<Uint8Array> {
  const { start, end } = range ?? { start: 0, end: Infinity };
  const parts: Uint8Array[] = [];
  let before = 0;
  for (const [name, size] of tensors) {
    const own = { start: Math.max(0, start - before), end: Math.min(size, end - before) };
    if (own.start < own.end) parts.push(await store.bytes(name, own));
    before += size;
  }
  return Buffer.concat(parts);
}

async function valuesOf(store: TensorStore, { names, weight }: Packed, rows?: Range): Promise<Float32Array> {
  const { shape, byRows, values } = weight;
  const all = shape[0] ?? 1;
  const read = async (part?: Range) => {
    const bytes: Parts<Uint8Array> = {};
    for (const [ending, name] of names) {
      const apart = part && byRows!.parts.includes(ending);
      bytes[ending] = await store.bytes(name, apart ? rowBytes(store.info(name), byRows!.unit, part, all) : undefined);
    }
    return values(bytes, part ? [part.end - part.start, ...shape.slice(1)] : shape);
  };
  if (!rows) return read();
  const width = shape.slice(1).reduce((product, length) => product * length, 1);
  if (!byRows) return (await read()).slice(rows.start * width, rows.end * width);
  const start = Math.floor(rows.start / byRows.unit) * byRows.unit;
  const end = Math.min(all, Math.ceil(rows.end / byRows.unit) * byRows.unit);
  const found = await read({ start, end: Math.max(start, end) });
  return start === rows.start && end === rows.end
    ? found
    : found.slice((rows.start - start) * width, (rows.end - start) * width);
}

/** Where rows of a weight lie in a tensor whose first axis has one entry for each, or for each `unit` of them. */
function rowBytes({ shape: [count], sizeBytes }: TensorInfo, unit: number, rows: Range, all: number): Range {
  const each = count === 0 ? 0 : sizeBytes / count, per = count === all ? 1 : unit;
  return { start: (rows.start / per) * each, end: Math.ceil(rows.end / per) * each };
}

/** A format in one word, for tables. */
function formatName(format: NumberFormat): Dtype {
  switch (format.kind) {
    case "plain":
      return format.dtype;
    case "grouped":
      return `INT${format.bits}`;
    case "fp8-blocks":
      return format.codes;
    case "ggml":
      return format.type as Dtype;
    default:
      return format.kind.toUpperCase() as Dtype;
  }
}
