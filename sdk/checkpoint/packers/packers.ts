import { MoeError, suggest } from "../../errors.js";
import { compressedTensors } from "./compressed-tensors.js";
import { gptq } from "./gptq.js";
import { moelab } from "./moelab.js";
import type { Packer } from "./packer.js";

/**
 * For whom packed weights are written: `moelab` keeps every number format and is opened by moelab alone,
 * `compressed-tensors` (transformers, vLLM) and `gptq` hold what they can, `plain` writes floats.
 */
export type SaveFormat = "plain" | "moelab" | "compressed-tensors" | "gptq";

export const packers: Readonly<Record<Exclude<SaveFormat, "plain">, Packer>> = {
  moelab,
  "compressed-tensors": compressedTensors,
  gptq,
};

/** @returns undefined for plain floats @throws MoeError `bad-format` */
export function packerNamed(name: SaveFormat): Packer | undefined {
  if (name === "plain") return undefined;
  if (Object.hasOwn(packers, name)) return packers[name];
  throw new MoeError("bad-format",
    `save: format is ${JSON.stringify(name)}. ${suggest(String(name), ["plain", ...Object.keys(packers)])}`);
}
