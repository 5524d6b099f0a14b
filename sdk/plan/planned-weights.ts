import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { MoeError } from "../errors.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import { decode, encode } from "../tensor/formats/index.js";
import type { Parts } from "../tensor/formats/number-format.js";
import { tf } from "../tensor/index.js";
import { Bench } from "./bench.js";
import type { Lowered } from "./lower.js";
import { fittedCodes } from "./make/fit.js";
import type { Plan } from "./plan.js";
import type { Made, Same } from "./recipe.js";
import { isUntouched } from "./work.js";

/** The weights of a planned model: those of the original where nothing changed, the others made when they are read. */
export class PlannedWeights implements WeightSource {
  private readonly recipes: Lowered["recipes"];
  private readonly bench: Bench;
  private digest?: Promise<string>;

  /** @param tensors further ones that recipes name @param sources weights of further models */
  constructor(
    private readonly original: WeightSource,
    private readonly plan: Plan,
    recipes: Lowered["recipes"],
    private readonly tensors: Record<string, WeightSource> = {},
    private readonly sources: Record<string, WeightSource> = {},
  ) {
    // what the original lacks, this one lacks, too
    this.recipes = new Map([...recipes].filter(([name, made]) => !isUntouched(name, made) || original.has(name)));
    this.bench = new Bench(recipes.values(),
      ({ tensors: name, model }: Same) => name ? tensors[name] : model ? sources[model] : original);
  }

  names(): Iterable<string> {
    return this.recipes.keys();
  }

  has(name: string): boolean {
    return this.recipes.has(name);
  }

  info(name: string): TensorInfo {
    const { of, part } = this.recipe(name);
    return this.bench.infos(of).get(part)!;
  }

  async read(name: string): Promise<Tensor> {
    const stored = this.stored(name);
    if (stored !== undefined) return this.original.read(stored);
    return tf.tensor(await this.values(name), this.info(name).shape, "float32");
  }

  rows(name: string, rows: { start: number; end: number }): Promise<Float32Array> | undefined {
    const stored = this.stored(name);
    return stored === undefined ? undefined : this.original.rows?.(stored, rows);
  }

  bytes(name: string, rows?: { start: number; end: number }, into?: Uint8Array): Promise<Uint8Array> | undefined {
    const stored = this.stored(name);
    if (stored !== undefined) return this.original.bytes?.(stored, rows, into);
    return rows ? undefined : this.made(name).then((values) => encode(values, this.info(name).dtype));
  }

  parts(name: string): Promise<Parts<Uint8Array>> | undefined {
    const stored = this.stored(name);
    if (stored !== undefined) return this.original.parts?.(stored);
    const { of } = this.recipe(name);
    return of.make === "fit" && of.want.format ? fittedCodes(of, this.bench) : undefined;
  }

  peakReadBytes(name: string): number | undefined {
    const stored = this.stored(name);
    return stored === undefined ? undefined : this.original.peakReadBytes?.(stored);
  }

  /** Rounded to the format that it is stored in, so that a model computes the same before it is saved and after. */
  async values(name: string): Promise<Float32Array> {
    const stored = this.stored(name);
    if (stored !== undefined) return this.original.values(stored);
    const values = await this.made(name);
    const { dtype } = this.info(name);
    return dtype === "F16" || dtype === "BF16" ? decode(encode(values, dtype), dtype) : values;
  }

  /** Follows from the original's weights and the plan, so that nothing has to be made to know it. */
  fingerprint(): Promise<string> {
    return (this.digest ??= (async () => {
      const hash = createHash("sha256").update(await this.original.fingerprint()).update(
        JSON.stringify(this.plan.layers),
      );
      const { units, weights } = this.plan;
      if (units || weights) hash.update(JSON.stringify([units, weights]));
      for (const [name, source] of [...Object.entries(this.tensors), ...Object.entries(this.sources)])
        hash.update(name).update(await source.fingerprint());
      return hash.digest("hex");
    })());
  }

  /** The original stays open: it belongs to whoever opened it. */
  async close(): Promise<void> {}

  private made(name: string): Promise<Float32Array> {
    const { of, part } = this.recipe(name);
    return this.bench.part(of, part);
  }

  /** The original's weight that this one is, where nothing has to be made or kept. */
  private stored(name: string): string | undefined {
    const { of, part } = this.recipe(name);
    if (of.make !== "same" || of.tensors || of.model || of.forms?.[part] || this.bench.shared(of)) return undefined;
    return this.original.has(of.names[part]) ? of.names[part] : undefined;
  }

  private recipe(name: string): Made {
    const recipe = this.recipes.get(name);
    if (recipe) return recipe;
    throw new MoeError("unknown-tensor",
      `read: tensor "${name}" is not in the planned model. Check the name against its architecture.`);
  }
}
