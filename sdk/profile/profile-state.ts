import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../errors.js";
import type { LayerId } from "../model/spec.js";
import { writeWhole } from "../write-whole.js";
import { checkedLayer } from "./profile-schema.js";
import type { LayerProfile } from "./profile.js";
import { SweepState } from "./sweep-state.js";

/** What was measured so far, layer by layer in a folder, beside the activations that the next layer begins with. */
export class ProfileState {
  readonly sweep: SweepState;

  /** @param key tells apart runs that have nothing to do with each other */
  constructor(private readonly folder: string, private readonly key: string) {
    this.sweep = new SweepState(folder, key);
  }

  /**
   * Layers that are done, in running order.
   *
   * @throws MoeError `state-of-another-run`; FormatError `bad-state` for a file that is missing or was changed
   */
  async layers(order: readonly LayerId[]): Promise<Record<LayerId, LayerProfile>> {
    const layers: Record<LayerId, LayerProfile> = {};
    for (const layer of await this.sweep.layersDone(order)) {
      const file = join(this.folder, fileOf(layer));
      const refuse = (why: string) =>
        new FormatError("bad-state",
          `profile: ${file} does not hold what was measured of ${layer}: ${why} Remove the folder, or give another.`);
      let json;
      try {
        json = JSON.parse(await readFile(file, "utf8"));
      } catch (error) {
        throw refuse(`${(error as Error).message}.`);
      }
      if (json?.sha256 !== this.hashOf(JSON.stringify(json?.measured)))
        throw refuse("it was changed after it was written, or is of another run.");
      if (json.measured) layers[layer] = checkedLayer(layer, json.measured, refuse);
    }
    return layers;
  }

  /** @param measured nothing of a layer without experts */
  async add(layer: LayerId, measured: LayerProfile | undefined): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const text = JSON.stringify(measured ?? null);
    await writeWhole(join(this.folder, fileOf(layer)), `{"measured":${text},"sha256":"${this.hashOf(text)}"}`);
  }

  private hashOf(text: string): string {
    return createHash("sha256").update(this.key).update(text ?? "").digest("hex");
  }
}

function fileOf(layer: LayerId): string {
  return `${layer}.json`;
}
