import { statfsSync } from "node:fs";
import { MoeError } from "../../../errors.js";

const NEEDED_BYTES = 1.7e9; // the wheel, the same again while pip writes it, libraries and headers
const CUDA_BYTES = 6e9; // packages, the same unpacked

/** @throws MoeError `engine-disk` when a folder has no room for a build */
export function requireSpace(folder: string, cuda = false, freeBytes = freeIn(folder)): void {
  const neededBytes = NEEDED_BYTES + (cuda ? CUDA_BYTES : 0);
  if (freeBytes >= neededBytes) return;
  throw new MoeError("engine-disk",
    `engine build: ${(freeBytes / 1e9).toFixed(1)} GB are free in ${folder}; ${neededBytes / 1e9} GB are `
      + `needed while building, ${cuda ? 4 : 0.5} GB afterwards. Free some space or name another folder in `
      + "MOELAB_ENGINE_DIR.");
}

function freeIn(folder: string): number {
  const disk = statfsSync(folder);
  return disk.bavail * disk.bsize;
}
