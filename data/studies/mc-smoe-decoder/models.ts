import { existsSync } from "node:fs";
import { type OpenedModel, openModel } from "../../../sdk/checkpoint/open-model.js";
import { MoeError } from "../../../sdk/errors.js";
import { packageFile } from "../../../sdk/package-file.js";

type Kind = "moe" | "dense";

/** Opens a model that data/models/train-nano-decoder.ts trained; that of seed 1 is bundled. */
export function trained(kind: Kind, seed: number): Promise<OpenedModel> {
  if (!isTrained(kind, seed)) {
    throw new MoeError("no-checkpoint",
      `study: ${folderOf(kind, seed)} holds no model; accepted is what training leaves there. Run: node `
        + `--import tsx data/models/train-nano-decoder.ts --kind ${kind} --seed ${seed}`);
  }
  return openModel(folderOf(kind, seed), { id: `nano-decoder${kind === "dense" ? "-dense" : ""}-${seed}` });
}

export function isTrained(kind: Kind, seed: number): boolean {
  return existsSync(`${folderOf(kind, seed)}/model.safetensors`);
}

function folderOf(kind: Kind, seed: number): string {
  return packageFile(
    kind === "moe" && seed === 1
      ? "data/models/nano-decoder"
      : `out/train-nano-decoder/nano-decoder${kind === "dense" ? "-dense" : ""}-seed-${seed}`,
  );
}
