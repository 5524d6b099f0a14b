import { MoeError } from "../errors.js";
import type { ExpectedTensor } from "../model/expected-tensor.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { encode } from "../tensor/formats/index.js";
import type { Family } from "./family.js";
import { diskLayouts, isSame, placer } from "./name-map.js";
import type { Layout, Place } from "./place.js";
import { blockOf, blocks } from "./write-place.js";

/** The tensors of a checkpoint that was read: how its names and shapes were. */
export interface Disk {
  has(name: string): boolean;
  info(name: string): { shape: number[] };
}

/** A tensor to be written, with the weights that lie in it. */
export interface DiskTensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  parts: { canonical: string; place: Place }[];
}

/**
 * What a checkpoint of this model holds: every weight at its place in the family's own layout, so fused and stacked
 * experts are fused and stacked again. Where a family knows several names, the one of the checkpoint that was read is
 * used.
 *
 * @param dtypeOf number format on disk of a weight
 * @param original the checkpoint that the model came from; absent for a new model
 * @param packed weights that are written otherwise (`packedTensors`)
 */
export function diskTensors(
  spec: ModelSpec,
  family: Family,
  dtypeOf: (canonical: string) => Dtype,
  original?: Disk,
  packed: ReadonlySet<string> = new Set(),
): DiskTensor[] {
  const tensors = new Map<string, DiskTensor>();
  const placed = placer(spec);
  const choose = chooser(family, placed, original);
  // beside packed experts no other of their kind is in a fused tensor
  const apart = new Set([...packed].map(kindOf));
  for (const tensor of expectedTensors(spec)) {
    if (packed.has(tensor.name)) continue;
    const alone = apart.has(kindOf(tensor.name)) && tensor.name.includes(".experts.");
    let place = placed(tensor, alone ? { name: ownName(tensor.name, family) } : choose(tensor));
    // two weights that were read from one tensor may differ by now: the second gets a tensor of its own
    const own = !place.rows && !place.pick && tensors.has(place.name)
      ? diskLayouts(tensor.name, family).find(({ name }) => !tensors.has(name))
      : undefined;
    if (own) place = placed(tensor, own);
    const dtype = dtypeOf(tensor.name);
    const held = tensors.get(place.name) ?? { name: place.name, dtype, shape: place.diskShape, parts: [] };
    if (dtypeSizeBytes[dtype]! > dtypeSizeBytes[held.dtype]!) held.dtype = dtype;
    held.parts.push({ canonical: tensor.name, place });
    tensors.set(place.name, held);
  }
  return [...tensors.values()];
}

const kindOf = (canonical: string) => canonical.replace(/\d+/g, "*");

/** The first name on disk that is a weight's alone. @throws MoeError `not-exportable` */
export function ownName(canonical: string, family: Family): string {
  const layout = diskLayouts(canonical, family).find(({ expert, stack }) => !expert && !stack);
  if (layout) return layout.name;
  throw new MoeError("not-exportable",
    `save: ${canonical} is packed, and family "${family.family}" has no name for it alone; accepted are plain numbers `
      + "there. Save with { format: \"plain\" }.");
}

/** Some bytes of a tensor that are made together. */
export interface Piece {
  name: string;
  at: number;
  sizeBytes: number;
  bytes(): Promise<Uint8Array>;
}

/**
 * The bytes of all tensors in pieces: no fused tensor is whole in memory, and what belongs to one expert follows one
 * another, whatever tensors it lies in, so that its sources are read once. An expert of a fused tensor that is stored
 * in
 * another form leaves zeros.
 */
export function piecesOf(tensors: readonly DiskTensor[], weights: WeightSource): Piece[] {
  const byExpert = new Map<string, Piece[]>();
  const add = (key: string, piece: Piece) => byExpert.set(key, [...(byExpert.get(key) ?? []), piece]);
  for (const { name, dtype, shape, parts } of tensors) {
    const rowBytes = size(shape.slice(1)) * dtypeSizeBytes[dtype]!;
    const filled = new Set<number>();
    let rows = shape[0] ?? 1;
    for (const members of blocks(parts)) {
      const [{ canonical, place }] = members;
      const start = place.rows?.start ?? 0;
      if (place.rows) rows = place.rows.end - start;
      filled.add(start);
      // bytes that lie in the file as they lie in the source are only moved
      const moved = members.length === 1 && !place.pick && place.transposed === undefined
        && weights.info(canonical).dtype === dtype;
      const stored = (part?: { start: number; end: number }) => (moved ? weights.bytes?.(canonical, part) : undefined);
      if (members.length === 1 && weights.rows && !canonical.includes(".experts.") && !place.rows
        && rows * rowBytes > LARGE_BYTES) {
        const width = size(shape.slice(1));
        const own = async (part: { start: number; end: number }) =>
          (await weights.rows!(canonical, part))
            ?? (await blockOf([{ place, values: () => weights.values(canonical) }])).subarray(part.start * width,
              part.end * width);
        pieceRows(rows, rowBytes).forEach((part) =>
          add(name, {
            name,
            at: part.start * rowBytes,
            sizeBytes: (part.end - part.start) * rowBytes,
            bytes: async () => (await stored(part)) ?? encoded(name, await own(part), dtype),
          })
        );
        continue;
      }
      add(/^.*\.experts\.\d+(?=\.)/.exec(canonical)?.[0] ?? name, {
        name,
        at: start * rowBytes,
        sizeBytes: rows * rowBytes,
        bytes: async () =>
          (await stored())
            ?? encoded(name, await blockOf(members.map(({ place, canonical }) => ({ place, values: () =>
              weights.values(canonical) })
            )), dtype),
      });
    }
    if (!parts.some(({ canonical }) => canonical.includes(".experts."))) continue;
    for (let start = 0; start < (shape[0] ?? 0); start += rows) {
      if (!filled.has(start))
        add(name, { name, at: start * rowBytes, sizeBytes: rows * rowBytes, bytes: async () =>
          new Uint8Array(rows * rowBytes) });
    }
  }
  return [...byExpert.values()].flat();
}

/** The largest numbers that round to one that is finite. */
const LIMITS: Partial<Record<Dtype, number>> = { F16: 65_520, BF16: 3.396_177_5e38 };

function encoded(name: string, values: Float32Array, dtype: Dtype): Uint8Array {
  const limit = LIMITS[dtype] ?? Infinity;
  const beyond = values.find((value) => Math.abs(value) >= limit && Math.abs(value) < Infinity);
  if (beyond === undefined) return encode(values, dtype);
  throw new MoeError("overflow",
    `save: ${name} holds ${beyond}, which is infinite in ${dtype}; accepted are numbers `
      + `below ${limit}. Save with { dtype: "${dtype === "F16" ? "BF16" : "F32"}" }.`);
}

/** What a tensor outside the experts is cut into: an embedding of gigabytes is never whole in memory. */
const LARGE_BYTES = 8 << 20;

function pieceRows(rows: number, rowBytes: number): { start: number; end: number }[] {
  const step = Math.max(1, Math.floor(LARGE_BYTES / rowBytes));
  return Array.from({ length: Math.ceil(rows / step) },
    (_, at) => ({ start: at * step, end: Math.min(rows, (at + 1) * step) }));
}

/**
 * Layout of a weight: the one whose tensor the original has (of two under one name the one whose shape it has), else
 * the one that another expert of the same part has, else the first.
 */
function chooser(
  family: Family,
  placed: ReturnType<typeof placer>,
  original?: Disk,
): (tensor: ExpectedTensor) => Layout {
  const known = new Map<string, number>();
  return (tensor) => {
    const layouts = diskLayouts(tensor.name, family);
    const pattern = kindOf(tensor.name);
    let found = original ? layouts.findIndex(({ name }) => original.has(name)) : -1;
    if (found >= 0) {
      const { name, expert } = layouts[found];
      // another number of experts is no other form
      const form = (shape: number[]) => (expert ? shape.slice(1) : shape);
      const seen = form(original!.info(name).shape);
      const like = layouts.findIndex((layout) =>
        layout.name === name && isSame(form(placed(tensor, layout).diskShape), seen)
      );
      known.set(pattern, found = like < 0 ? found : like);
    }
    return layouts[
      found >= 0 ? found : known.get(pattern) ?? Math.max(0, layouts.findIndex(({ optional }) => !optional))
    ];
  };
}

/**
 * The plain float format that a weight is written in: its own; quantised ones get the model's, in which they were
 * computed before.
 */
export function storedDtype(info: TensorInfo, modelDtype: Dtype): Dtype {
  return !info.format && ["F64", "F32", "F16", "BF16"].includes(info.dtype) ? info.dtype : modelDtype;
}

export function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
