import type { Tensor } from "@tensorflow/tfjs-core";
import { readFile, writeFile } from "node:fs/promises";
import * as v from "valibot";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { FormatError } from "../errors.js";
import { StateFolder } from "../files/state-folder.js";
import type { Activations } from "../model/activations.js";
import type { LayerId } from "../model/spec.js";
import type { SweepKeeper, SweepPoint } from "../model/sweep.js";
import { parseJson } from "../parse-json.js";
import { tf } from "../tensor/index.js";
import { joined, type Measured } from "./build-profile.js";
import { asSources, readStatistics, writeStatistics } from "./statistic-tensors.js";

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));
const Point = v.object({ stack: v.picklist(["encoder", "decoder"]), layer: whole, batches: whole,
  measured: v.array(v.string()) });
const ACTIVATIONS = "activations.safetensors";

/**
 * A profile on its way, in a folder: what was measured of each layer that is done, and the activations that the next
 * one begins with. Both are of the same moment, so a sweep that was cut off goes on after its last whole layer.
 */
export class ProfileState implements SweepKeeper {
  /** layers that were measured after the state was saved last */
  private readonly fresh = new Map<LayerId, Measured>();

  private constructor(private readonly kept: StateFolder<v.InferOutput<typeof Point>>) {}

  /**
   * @param key all that the numbers depend on: fingerprints of model, data and options
   * @throws MoeError `state-of-another-run`, `being-written`, `cannot-write`; FormatError `bad-state`
   */
  static async open(folder: string, key: unknown): Promise<ProfileState> {
    return new ProfileState(await StateFolder.open(folder, { verb: "profile", kind: "profile", key, schema: Point }));
  }

  /** What was measured of the layers that are done, in running order. */
  async measured(): Promise<Measured> {
    let all: Measured = { layers: {}, blocks: {}, weights: {}, tensors: {} };
    for (const layer of this.kept.data?.measured ?? []) {
      const json = await this.read(layer);
      const tensors = this.kept.file(tensorsOf(layer));
      all = joined(all, { ...json, tensors: tensors ? await readStatistics(tensors) : {} });
    }
    return all;
  }

  private async read(layer: LayerId): Promise<Measured> {
    try {
      return parseJson(await readFile(this.kept.file(fileOf(layer)) ?? "", "utf8")) as Measured;
    } catch (cause) {
      throw new FormatError("bad-state",
        `profile: ${this.kept.folder} holds no whole state: ${layer} cannot be read (${
          (cause as Error).message
        }). Remove ` + "its moelab-profile.json, or give another folder.", { cause });
    }
  }

  /** Takes what was measured of a layer; it is on the disk with the next `save`. */
  add(layer: LayerId, measured: Measured): void {
    this.fresh.set(layer, measured);
  }

  async restore(activations: Activations): Promise<SweepPoint | undefined> {
    const { data, file } = { data: this.kept.data, file: this.kept.file(ACTIVATIONS) };
    if (!data || !file) return undefined;
    const store = await openTensors(file);
    try {
      const read = async (name: string) => (store.has(name)
        ? tf.tensor(await store.values(name), store.info(name).shape, "float32")
        : undefined);
      const hold = async (name: string) => (store.has(name) ? activations.hold((await read(name))!) : undefined);
      const point: SweepPoint = { stack: data.stack, layer: data.layer, batches: [] };
      for (let batch = 0; batch < data.batches; batch++) {
        point.batches.push({ x: (await hold(`x.${batch}`))!, memory: await hold(`memory.${batch}`),
          bias: await read(`bias.${batch}`), carried: await read(`carried.${batch}`) });
      }
      return point;
    } finally {
      await store.close();
    }
  }

  async save({ stack, layer, batches }: SweepPoint): Promise<void> {
    const parts: { name: string; shape: number[]; tensor(): Promise<Tensor> }[] = [];
    for (const [batch, { x, bias, carried, memory }] of batches.entries()) {
      for (const [kind, held] of [["x", x], ["memory", memory]] as const)
        if (held) parts.push({ name: `${kind}.${batch}`, shape: held.shape, tensor: () => held.read() });
      for (const [kind, tensor] of [["bias", bias], ["carried", carried]] as const)
        if (tensor) parts.push({ name: `${kind}.${batch}`, shape: tensor.shape, tensor: async () => tf.clone(tensor) });
    }
    const infos = parts.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const }));
    async function* data() {
      for (const { name, tensor } of parts) {
        const one = await tensor();
        const values = (await one.data()) as Float32Array;
        one.dispose();
        yield { name, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
      }
    }
    const before = this.kept.data?.measured ?? [];
    const there = before.flatMap((each) => [fileOf(each), tensorsOf(each)]).filter((name) => this.kept.file(name));
    await this.kept.replace({ stack, layer, batches: batches.length, measured: [...before, ...this.fresh.keys()] }, {
      [ACTIVATIONS]: (path) => writeTensors(path, infos, data(), { verb: "profile" }),
      ...Object.fromEntries(there.map((name) => [name, true as const])),
      ...Object.fromEntries(
        [...this.fresh].flatMap(([each, { tensors, ...measured }]) => [[fileOf(each), (path: string) =>
          writeFile(path, JSON.stringify(measured), { flag: "wx", flush: true })], ...(Object.keys(tensors).length > 0
            ? [[tensorsOf(each), (path: string) =>
              writeStatistics(path, asSources(tensors))]]
            : [])]
        ),
      ),
    });
    this.fresh.clear();
  }

  /** Lets others have the folder. */
  async close(): Promise<void> {
    await this.kept.close();
  }
}

function fileOf(layer: LayerId): string {
  return `${layer}.json`;
}

function tensorsOf(layer: LayerId): string {
  return `${layer}.statistics.safetensors`;
}
