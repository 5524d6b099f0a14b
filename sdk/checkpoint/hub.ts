import { distance } from "fastest-levenshtein";
import { readdir, stat } from "node:fs/promises";
import { MoeError, suggest } from "../errors.js";
import { recovered } from "../files/workplace.js";
import { packageFile } from "../package-file.js";
import type { DownloadOptions } from "./hub/download-model.js";
import { hubEnvironment } from "./hub/hub-environment.js";
import { parseModelId } from "./hub/model-id.js";
import { nearPaths } from "./what-is-there.js";

export interface ResolveModelOptions extends DownloadOptions {
  /** environment variables; those of the process unless told */
  env?: NodeJS.ProcessEnv;
}

/**
 * Finds a model's folder.
 *
 * @param ref in this order: an existing folder (or a .safetensors or .gguf file); the name of a bundled model;
 *   `org/name[@revision]`
 * of the Hugging Face hub, or `name` alone where the hub's oldest models have no more, whose files come from the cache,
 * or into it
 * @throws MoeError `no-such-model`, `offline`, and those of the download
 * @example await resolveModel("nano-switch")
 */
export async function resolveModel(
  ref: string,
  { env = process.env, ...options }: ResolveModelOptions = {},
): Promise<string> {
  await recovered(ref);
  if (await stat(ref).catch(() => undefined)) return ref;
  const bundled = await bundledModels();
  if (bundled.includes(ref)) return packageFile(`data/models/${ref}`);
  const id = parseModelId(ref);
  // the hub's client is loaded when it is needed: a folder is inspected in less time than that takes
  const oneWord = id !== undefined && !id.name.includes("/");
  const near = nearPaths(ref).map((path) => `"${path}"`).join(", ");
  const none = (why: string, cause?: unknown) =>
    new MoeError("no-such-model",
      `load: "${ref}" is neither a folder nor a bundled model nor a hub id${why}; accepted is a path that `
        + `exists, a bundled name, or org/name[@revision]. ${
          near ? `There is ${near}; bundled are ${bundled.join(", ")}.` : suggest(ref, bundled)
        }`, { cause });
  // a slip in a bundled name is no reason to ask the hub
  if (!id || (oneWord && isSlip(id.name, bundled))) throw none("");
  try {
    return await (await import("./hub/download-model.js")).downloadModel(id, hubEnvironment(env), options);
  } catch (error) {
    // the hub answers 401 for a model that is not there, as for one that is private
    // most ids that the hub does not show are folders with a slip of the pen
    if (!oneWord && error instanceof MoeError && ["not-found", "not-allowed", "hub-unreachable"].includes(error.code))
      throw new MoeError(error.code,
        `load: there is no folder "${ref}" here${near && ` (there is ${near})`}, and as a model of the hub: ${
          error.message.replace(/^load: /, "")
        }`, { cause: error });
    if (oneWord && error instanceof MoeError && ["not-found", "not-allowed"].includes(error.code))
      throw none(` (the hub has no "${ref}" that it shows)`, error);
    throw error;
  }
}

function isSlip(name: string, bundled: readonly string[]): boolean {
  return bundled.some((each) => distance(name, each) <= 2);
}

/** Names of the models that come with moelab. */
export async function bundledModels(): Promise<string[]> {
  const entries = await readdir(packageFile("data/models"), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
