import { join } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { readText } from "../read-text.js";
import { withoutBareWords } from "./config-text.js";
import { jsonMembers } from "./json-members.js";
import { whatIsThere } from "./what-is-there.js";

const MAX_CONFIG_BYTES = 16 << 20;

/** config.json of a folder as an object. @throws MoeError `no-checkpoint`; FormatError `bad-config` */
export async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, "config.json");
  const text = await readText(path, { verb: "load", accepted: "a folder with config.json and safetensors",
    maxBytes: MAX_CONFIG_BYTES, code: "bad-config" });
  if (text === undefined)
    throw new MoeError("no-checkpoint",
      `load: ${path} is not there; accepted is a folder with config.json and safetensors. ${whatIsThere(folder)}`);
  try {
    for (const _ of jsonMembers(text)); // refuses what is no object, and what nests deeper than the stack
    return JSON.parse(withoutBareWords(text)) as Record<string, unknown>;
  } catch (error) {
    throw new FormatError("bad-config",
      `load: ${path} is not a JSON object (${(error as Error).message}); accepted is a JSON object. Fetch `
        + "the file again.", { cause: error });
  }
}
