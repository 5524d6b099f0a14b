import { existsSync } from "node:fs";
import { openModel, type OpenedModel } from "../../../sdk/checkpoint/open-model.js";
import { MoeError } from "../../../sdk/errors.js";
import { packageFile } from "../../../sdk/package-file.js";

/** Opens a model that data/models/train-nano-decoder.ts trained; that of seed 1 is bundled. */
export function trained(kind: "moe" | "dense", seed: number): Promise<OpenedModel> {
  const folder = packageFile(kind === "moe" && seed === 1 ? "data/models/nano-decoder" : `out/train-nano-decoder/nano-decoder${kind === "dense" ? "-dense" : ""}-seed-${seed}`);
  if (!existsSync(`${folder}/model.safetensors`)) {
    throw new MoeError("no-checkpoint", `study: ${folder} holds no model; accepted is what training leaves there. Run: node --import tsx data/models/train-nano-decoder.ts --kind ${kind} --seed ${seed}`);
  }
  return openModel(folder, { id: `nano-decoder${kind === "dense" ? "-dense" : ""}-${seed}` });
}
