import type { TensorInfo, WeightSource } from "../../model/weight-source.js";
import { dtypeSizeBytes } from "../../tensor/formats/dtype-size.js";
import type { Dtype } from "../../tensor/formats/dtype.js";
import type { Matched, Part, Recipe, Same } from "../recipe.js";

/** Numbers of each part. The map is the receiver's to take apart; the arrays may be read by others, too. */
export type Parts = Map<Part, Float32Array>;

/** How each part is stored. */
export type Infos = ReadonlyMap<Part, TensorInfo>;

/** What making weights takes. */
export interface Work {
  /** float32 numbers that are read from the model, added up or moved, and handed out */
  numbers: number;
  /** multiply-adds of matrix products */
  multiplies: number;
  /** sizes of the assignment problems that are solved */
  assignments: number[];
  /** rows and columns of the matrices that are decomposed */
  decompositions: [number, number][];
  /** numbers of the products that greedy pairing goes through, over all of its steps */
  pairings: number;
  /** most bytes held at once beyond the model, in tensors and in arrays */
  peakBytes: number;
}

/** Where a maker finds what its recipe is made from. */
export interface Bench {
  values(recipe: Recipe): Promise<Parts>;
  part(recipe: Recipe, part: Part): Promise<Float32Array>;
  /** @param parts of the recipe that is matched, where they are at hand */
  order(recipe: Matched, parts?: Parts): Promise<readonly number[]>;
  infos(recipe: Recipe): Infos;
  source(recipe: Same): WeightSource;
}

/**
 * A maker's steps without numbers: what it holds and gives back, in numbers of four bytes, and what it computes. At the
 * end it holds its result.
 */
export interface Tally {
  /** @returns numbers that are the maker's own from then on; 0: others read them, too */
  values(recipe: Recipe): number;
  part(recipe: Recipe, part: Part): number;
  hold(numbers: number): void;
  free(numbers: number): void;
  /** held in passing */
  pass(numbers: number): void;
  /** Bytes arrive from a file, in numbers of four; `beside` those that came last, which are held until then. */
  land(numbers: number, beside: boolean): void;
  /** of what came last from a file, which is held until something comes again */
  landed(): number;
  add(work: Partial<Omit<Work, "peakBytes">>): void;
  /** whether this order is known by now; from then on it is */
  ordered(recipe: Matched): boolean;
  infos(recipe: Recipe): Infos;
  source(recipe: Same): Described;
}

/** What is known of weights without reading any. */
export type Described = Pick<WeightSource, "has" | "info" | "peakReadBytes">;

/** One file for each word of `Recipe`. */
export interface Maker<R extends Recipe> {
  infos(recipe: R, of: (input: Recipe) => Infos, source: (recipe: Same) => Described): Infos;
  /** @param only all that is asked for; more may be made */
  values(recipe: R, bench: Bench, only?: Part): Promise<Parts>;
  work(recipe: R, tally: Tally, only?: Part): void;
}

/** What is made is stored in the number format of its source; formats that only packers write become float32. */
export function storedAs({ dtype }: TensorInfo, shape: readonly number[]): TensorInfo {
  const plain: Dtype[] = ["F64", "F32", "F16", "BF16"];
  const own = plain.includes(dtype) ? dtype : "F32";
  return { dtype: own, shape: [...shape], sizeBytes: dtypeSizeBytes[own]! * sizeOf(shape) };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** numbers of all parts */
export function sizeOfAll(infos: Infos): number {
  return [...infos.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Each part's shape, changed. */
export function reshaped(infos: Infos, change: (shape: readonly number[], part: Part) => readonly number[]): Infos {
  return new Map([...infos].map(([part, info]) => [part, storedAs(info, change(info.shape, part))]));
}
