import type { Tensor } from "@tensorflow/tfjs-core";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { FormatError, MoeError } from "../errors.js";
import type { Activations } from "../model/activations.js";
import { type LayerId, layerId } from "../model/spec.js";
import type { SweepKeeper, SweepPoint } from "../model/sweep.js";
import { parsed } from "../parsed.js";
import { tf } from "../tensor/index.js";

const STATE = "sweep.json";

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));
/** The file lies in the folder itself: a path could lead out of it. */
const State = v.object({ key: v.string(), stack: v.picklist(["encoder", "decoder"]), layer: whole,
  file: v.pipe(v.string(), v.regex(/^(en|de)coder-\d+\.safetensors$/, "the name of a file of this folder is accepted")),
  batches: whole });

/**
 * The activations of a sweep in a folder, so that a sweep that was cut off goes on after its last whole layer. The file
 * of the layer before stays until that of the next one is whole and named in sweep.json.
 */
export class SweepState implements SweepKeeper {
  /** @param key tells apart runs that have nothing to do with each other: fingerprints of model, data and options */
  constructor(readonly folder: string, private readonly key: string) {}

  /** @throws MoeError `state-of-another-run` */
  async restore(activations: Activations): Promise<SweepPoint | undefined> {
    const state = await this.read();
    if (!state) return undefined;
    const { stack, layer, file, batches } = state;
    const store = await openTensors(join(this.folder, file));
    try {
      const read = async (name: string) => (store.has(name)
        ? tf.tensor(await store.values(name), store.info(name).shape, "float32")
        : undefined);
      const hold = async (name: string) => (store.has(name) ? activations.hold((await read(name))!) : undefined);
      const point: SweepPoint = { stack, layer, batches: [] };
      for (let batch = 0; batch < batches; batch++) {
        point.batches.push({ x: (await hold(`x.${batch}`))!, memory: await hold(`memory.${batch}`),
          bias: await read(`bias.${batch}`) });
      }
      return point;
    } finally {
      await store.close();
    }
  }

  /**
   * Those of the layers that are done.
   * @param order all layers, in running order
   * @throws MoeError `state-of-another-run`
   */
  async layersDone(order: readonly LayerId[]): Promise<LayerId[]> {
    const state = await this.read();
    return state ? order.slice(0, order.indexOf(layerId(state.stack, state.layer - 1)) + 1) : [];
  }

  async save({ stack, layer, batches }: SweepPoint): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const file = `${stack}-${layer}.safetensors`;
    const parts: { name: string; shape: number[]; tensor(): Promise<Tensor> }[] = [];
    for (const [batch, { x, bias, memory }] of batches.entries()) {
      for (const [kind, held] of [["x", x], ["memory", memory]] as const)
        if (held)
          parts.push({ name: `${kind}.${batch}`, shape: held.shape, tensor: () => held.read() });
      if (bias) parts.push({ name: `bias.${batch}`, shape: bias.shape, tensor: async () => tf.clone(bias) });
    }
    await writeTensors(join(this.folder, file),
      parts.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })), (async function*() {
        for (const { name, tensor } of parts) {
          const one = await tensor();
          const values = (await one.data()) as Float32Array;
          one.dispose();
          yield { name, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
        }
      })());
    const state = join(this.folder, STATE);
    await writeFile(`${state}.part`, JSON.stringify({ key: this.key, stack, layer, file, batches: batches.length }));
    await rename(`${state}.part`, state);
    for (const name of await readdir(this.folder))
      if (/^(en|de)coder-\d+\.safetensors(\.part)?$/.test(name) && name !== file) await rm(join(this.folder, name));
  }

  private async read(): Promise<v.InferOutput<typeof State> | undefined> {
    if (!existsSync(join(this.folder, STATE))) return undefined;
    const text = await readFile(join(this.folder, STATE), "utf8");
    const found = parsed(State, attempt(() => JSON.parse(text)),
      (why) =>
        new FormatError("bad-state",
          `profile: ${join(this.folder, STATE)} is no state of a sweep: ${why} Remove the folder, or give another.`));
    if (found.key === this.key) return found;
    throw new MoeError("state-of-another-run",
      `profile: ${this.folder} holds the state of a run with another model, other data or other `
        + "statistics; accepted is a folder of this very run, or a new one. Remove the folder, or give another.");
  }
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
