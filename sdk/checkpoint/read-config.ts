import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { withoutBareWords } from "./config-text.js";
import { jsonMembers } from "./json-members.js";

const MAX_CONFIG_BYTES = 16 << 20;

/** config.json of a folder as an object. @throws MoeError `no-checkpoint`; FormatError `bad-config` */
export async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, "config.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new MoeError("no-checkpoint",
      `load: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}); accepted is a folder with `
        + "config.json and safetensors. Check the path.", { cause: error });
  }
  if (text.length > MAX_CONFIG_BYTES)
    throw new FormatError("bad-config",
      `load: ${path} has ${text.length} bytes; accepted are ${MAX_CONFIG_BYTES}. This is no model configuration.`);
  try {
    for (const _ of jsonMembers(text)); // refuses what is no object, and what nests deeper than the stack
    return JSON.parse(withoutBareWords(text)) as Record<string, unknown>;
  } catch (error) {
    throw new FormatError("bad-config",
      `load: ${path} is not a JSON object (${(error as Error).message}); accepted is a JSON object. Fetch `
        + "the file again.", { cause: error });
  }
}
