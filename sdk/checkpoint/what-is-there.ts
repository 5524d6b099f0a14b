import { distance } from "fastest-levenshtein";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { parseJson } from "../parse-json.js";
import { readTextSync } from "../read-text.js";

/** Of a folder that can be huge, what is looked at. */
const MAX_NAMES = 1000;
/** Files that are no safetensors, whatever is in them. */
export const OTHER_FILES = /\.(json|txt|md|bin|pt|pth|ckpt|h5|msgpack|onnx|npz)$/;
const OTHER_WEIGHTS = /\.(bin|pt|pth|ckpt|h5|msgpack|onnx|npz)$/;

/** What a place that is no checkpoint holds instead, and what to do about it, in sentences for an error. */
export function whatIsThere(path: string): string {
  if (existsSync(path) && !isFolder(path))
    return existsSync(join(dirname(path), "config.json"))
      ? `It is a file: give its folder, ${dirname(resolve(path))}.`
      : "It is a file: give the folder of a model.";
  const names = namesIn(path);
  const first = (pattern: RegExp) => names.find((name) => pattern.test(name));
  if (names.includes("adapter_config.json"))
    return `It holds an adapter${
      adapted(path)
    }, which is no model: load that one, and put it on with .adapt("${path}").`;
  const [gguf, other] = [first(/\.gguf$/), first(OTHER_WEIGHTS)];
  if (gguf) return `It holds ${gguf}: give the path of that file.`;
  const weights = first(/\.safetensors$/);
  if (weights && !names.includes("config.json"))
    return `It holds ${weights} without a config.json: put the model's beside it.`;
  if (weights)
    return `It holds ${weights}, a name that transformers does not give: is it the whole model, rename it to `
      + "model.safetensors.";
  if (other)
    return `It holds ${other}, weights in another format: load them in transformers and save_pretrained() writes `
      + "safetensors.";
  const inner = names.map((name) => name === "snapshots" ? join(name, namesIn(join(path, name))[0] ?? "") : name).find(
    (name) => existsSync(join(path, name, "config.json"))
  );
  if (inner) return `A model is in its folder ${inner}: give ${join(path, inner)}.`;
  return names.length === 0 ? "It is empty." : `It holds ${some(names)}.`;
}

/**
 * Paths that are there and nearly have this name: as far as it leads, with each further part replaced by what is most
 * like it.
 */
export function nearPaths(path: string): string[] {
  let found = [path.startsWith(sep) ? sep : "."];
  for (const part of path.split(/[\\/]/).filter((each) => each !== "" && each !== ".")) {
    found = found.flatMap((folder) => {
      if (existsSync(join(folder, part))) return [join(folder, part)];
      return namesIn(folder).filter((name) => isLike(name, part)).map((name) => join(folder, name));
    }).slice(0, 3);
  }
  return found;
}

/** Almost all letters are the same, whatever their case. */
function isLike(name: string, part: string): boolean {
  return distance(name.toLowerCase(), part.toLowerCase()) <= Math.max(1, Math.min(3, part.length / 4));
}

function adapted(folder: string): string {
  try {
    const text = readTextSync(join(folder, "adapter_config.json"), { verb: "load", accepted: "an adapter's file",
      maxBytes: 1 << 24, code: "bad-config" });
    const { base_model_name_or_path: base } = parseJson(text ?? "{}") as { base_model_name_or_path?: unknown };
    return typeof base === "string" ? ` for ${base.slice(0, 200)}` : "";
  } catch {
    return "";
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).slice(0, MAX_NAMES).sort();
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 4).map((name) => basename(name)).join(", ")}${
    names.length > 4 ? ` and ${names.length - 4} more` : ""
  }`;
}
