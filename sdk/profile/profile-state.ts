import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LayerId } from "../model/spec.js";
import type { LayerProfile } from "./profile.js";
import { SweepState } from "./sweep-state.js";

/** What was measured so far, layer by layer in a folder, beside the activations that the next layer begins with. */
export class ProfileState {
  readonly sweep: SweepState;

  /** @param key tells apart runs that have nothing to do with each other */
  constructor(private readonly folder: string, key: string) {
    this.sweep = new SweepState(folder, key);
  }

  /**
   * Layers that are done, in running order.
   * @throws MoeError `state-of-another-run`
   */
  async layers(order: readonly LayerId[]): Promise<Record<LayerId, LayerProfile>> {
    const done = await this.sweep.layersDone(order);
    const there = new Set(await readdir(this.folder).catch(() => []));
    const layers: Record<LayerId, LayerProfile> = {};
    for (const layer of done)
      if (there.has(fileOf(layer)))
        layers[layer] = JSON.parse(await readFile(join(this.folder, fileOf(layer)), "utf8")) as LayerProfile;
    return layers;
  }

  async add(layer: LayerId, measured: LayerProfile): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const file = join(this.folder, fileOf(layer));
    await writeFile(`${file}.part`, JSON.stringify(measured));
    await rename(`${file}.part`, file);
  }
}

function fileOf(layer: LayerId): string {
  return `${layer}.json`;
}
