import { readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { MoeError } from "../errors.js";
import type { Initializer } from "../model/initialize.js";
import { specSchema } from "../model/spec-schema.js";
import type { ExpertSpec, ModelSpec, MoeFfnSpec } from "../model/spec.js";
import { packageFile } from "../package-file.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { readTextSync } from "../read-text.js";
import type { Activation } from "../tensor/ops/activation.js";
import { checkSpec, slotCounter } from "./check-spec.js";
import { withDefaults } from "./config-defaults.js";
import { familySchema } from "./family-schema.js";
import type { Layout } from "./place.js";
import { ropeConfig } from "./rope-config.js";
import { type Bindings, checkRepeats, fill } from "./template.js";

/**
 * An architecture as data: how a Hugging Face config.json becomes a ModelSpec, and where each canonical
 * weight lies in the checkpoint. See CONTRIBUTING.md, "How to add an architecture".
 */
export interface Family {
  family: string;
  /** values of config.json's `model_type` that this file answers */
  modelTypes: string[];
  /** another family whose file this one starts from; objects are merged, everything else is replaced */
  extends?: string;
  /** intermediate values, bound as `$name` in every expression */
  let?: Record<string, string>;
  define?: Record<string, unknown>;
  spec: Record<string, unknown> | string;
  /** config.json holds the whole ModelSpec, as `moelab.spec`, and tensors have their canonical names */
  storesSpec?: true;
  /**
   * expression for the part of config.json that describes the language model, e.g. "=text_config ?? $"; whether
   * embeddings are tied is read from the whole
   */
  config?: string;
  /**
   * canonical name pattern -> name(s) or layout(s) in the checkpoint, the first that is there counts; `{l}` layer,
   * `{e}` expert
   */
  names: Record<string, string | Layout | (string | Layout)[]>;
  /**
   * what names begin with, and what may stand in its place: ["", "transformer."], ["model.", "model.language_model."]
   */
  prefixes?: string[];
  /** regular expressions of checkpoint names that hold nothing of their own (tied copies, masks, buffers) */
  copies?: string[];
  /**
   * … of tensors that the model does not run: a vision tower, a layer after the last (`{beyond}` is its number)
   */
  unused?: string[];
  /**
   * canonical weights that stay float32 whatever a checkpoint is saved in: `always`, or in the narrower of the two half
   * formats alone
   */
  float32?: { always?: string[]; F16?: string[] };
  /** how weights of a new model start, see `Initializer`; what is not named starts at `initializer_range` */
  initialize?: Record<string, unknown>;
  /** dotted keys of config.json that hold the number of experts and of choices, for models that were pruned */
  save?: { experts: string[]; topK: string[] };
}

const FAMILY_KEYS =
  "family (its name), modelTypes, spec (config.json's keys to a ModelSpec), names (canonical weight to "
  + "tensor), and optionally extends, let, define, config, prefixes, copies, unused, float32, initialize, save";

/** A family file is some kilobytes. */
const MAX_BYTES = 1 << 24;

let families: Family[] | undefined;

/** All family files, bundled ones only. */
export function listFamilies(): Family[] {
  if (!families) {
    const folder = packageFile("data/families");
    const raw = readdirSync(folder).filter((name) => name.endsWith(".json")).sort().map((name) =>
      JSON.parse(readFileSync(join(folder, name), "utf8")) as Family
    );
    families = raw.map((family) => inherit(family, raw));
  }
  return families;
}

/**
 * A user's own family file; `extends` may name a bundled family.
 * @throws MoeError `bad-family` for a file that is no family
 */
export function readFamily(path: string): Family {
  let family: Family;
  try {
    const text = readTextSync(path, { verb: "family", accepted: "a JSON file", maxBytes: MAX_BYTES,
      code: "bad-family" });
    if (text === undefined) throw new Error("there is none");
    family = parseJson(text) as Family;
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw new MoeError("bad-family",
      `family: ${path} cannot be read (${(error as Error).message}); accepted is a JSON file. Check the `
        + "path and the file.", { cause: error });
  }
  const whole = isObject(family) ? inherit(family, listFamilies()) : undefined;
  parsed(familySchema, whole,
    (why) =>
      new MoeError("bad-family",
        `family: in ${path} ${why} It is an object with ${FAMILY_KEYS}. Start from a file in data/families.`));
  return whole as Family;
}

let own: { paths: string; families: Family[] } = { paths: "", families: [] };

/** What `MOELAB_FAMILIES` names, as `moelab run --family FILE` sets it: paths, separated as in PATH. */
function ownFamilies(): Family[] {
  const paths = process.env.MOELAB_FAMILIES ?? "";
  if (own.paths !== paths) own = { paths, families: paths.split(delimiter).filter(Boolean).map(readFamily) };
  return own.families;
}

/**
 * The family that a configuration belongs to, by its `model_type`: of one's own files (`MOELAB_FAMILIES`) first, then
 * of the bundled ones.
 * @throws MoeError `unknown-family` listing what is known and what a family file must say
 */
export function familyOf(config: Record<string, unknown>): Family {
  const all = [...ownFamilies(), ...listFamilies()];
  const found = all.find((family) => family.modelTypes.includes(config.model_type as string));
  if (found) return found;
  const known = all.flatMap((family) => family.modelTypes).join(", ");
  const text = isObject(config.text_config) ? config.text_config : {};
  const recognised =
    ["architectures", "num_hidden_layers", "hidden_size", "num_attention_heads", "num_experts", "num_local_experts",
      "n_routed_experts", "num_experts_per_tok"].flatMap((key) => {
        const [where, value] = config[key] === undefined ? ["text_config.", text[key]] : ["", config[key]];
        return value === undefined ? [] : [`${where}${key} ${JSON.stringify(value)}`];
      }).join(", ") || "none of the usual keys";
  throw new MoeError("unknown-family",
    `load: model_type is ${JSON.stringify(config.model_type) ?? "not there"} in config.json, recognised is `
      + `${recognised}; known are ${known}. Write a family file with ${FAMILY_KEYS} (CONTRIBUTING.md, "How `
      + `to add an architecture"), try it with \`moelab family check DIR --family FILE\` and load with { family }.`);
}

/**
 * A ModelSpec from a Hugging Face configuration.
 * @example (await specFromConfig({ model_type: "mixtral", hidden_size: 4096, … })).decoder.layers.length  // 32
 */
export async function specFromConfig(config: Record<string, unknown>, family = familyOf(config)): Promise<ModelSpec> {
  const clean = await wholeConfig(config, family);
  const definitions = family.define ?? {};
  const bindings: Bindings = { rope: ropeConfig(clean), ropeOf: (type: string) => ropeConfig(clean, type), activation };
  await checkRepeats(family.spec, clean);
  for (const [name, expression] of Object.entries(family.let ?? {}))
    bindings[name] = await fill(expression, clean, definitions, bindings);
  const spec = { family: family.family,
    ...((await fill(family.spec, clean, definitions, bindings)) as object) } as ModelSpec;
  for (const stack of [spec.encoder, spec.decoder])
    if (stack && !Array.isArray(stack.layers))
      throw new MoeError("bad-config",
        `load: family "${family.family}" makes layers that are no list; accepted is { "$for", "$each" }. Mend `
          + "the family file.");
  const count = slotCounter(family.family);
  for (const layer of [...(spec.encoder?.layers ?? []), ...(spec.decoder?.layers ?? [])]) {
    if (layer.ffn?.kind !== "moe") continue;
    count(layer.ffn.experts);
    completeMoe(layer.ffn);
  }
  checkSpec(spec);
  parsed(specSchema, spec,
    (why) =>
      new MoeError("bad-config",
        `load: by config.json and family "${family.family}" ${why} Check that the configuration is complete.`));
  return spec;
}

/**
 * How transformers starts the weights of a new model of this configuration: by the family's `initialize`, everything
 * else at `initializer_range` (`init_std` in some families).
 *
 * @example await initializerFromConfig({ model_type: "mixtral" })  // { "": 0.02 }
 * @throws MoeError `bad-config` for a deviation that is none
 */
export async function initializerFromConfig(
  config: Record<string, unknown>,
  family = familyOf(config),
): Promise<Initializer> {
  const clean = await wholeConfig(config, family);
  const own = (await fill(family.initialize ?? {}, clean, {}, {})) as Initializer;
  const all: Initializer = { "": (clean.initializer_range || clean.init_std || 0.02) as number, ...own };
  for (const [name, start] of Object.entries(all)) {
    if (isObject(start) || (Number.isFinite(start) && (start as number) >= 0)) continue;
    throw new MoeError("bad-config",
      `create: ${name || "every other weight"} would start with the standard deviation ${JSON.stringify(start)}; `
        + "accepted is a number of at least 0. Check initializer_range, init_std and initializer_factor.");
  }
  return all;
}

/** The part of config.json that counts, with the defaults of its class and without nulls. */
async function wholeConfig(config: Record<string, unknown>, family: Family): Promise<Record<string, unknown>> {
  const part = (family.config ? await fill(family.config, config, {}, {}) : config) ?? config;
  if (!isObject(part))
    throw new MoeError("bad-config",
      `load: ${family.config!.slice(1)} is ${JSON.stringify(part).slice(0, 80)} in config.json; accepted is an object. `
        + "Check the configuration.");
  // of a multi-modal model the outer class has the head: its word counts, and where it has none its default
  const { tie_word_embeddings: _, ...inner } = part;
  const tie = config.tie_word_embeddings === undefined ? {} : { tie_word_embeddings: config.tie_word_embeddings };
  const own = part === config ? config : { ...inner, ...tie };
  return withoutNulls(withDefaults(own, config.model_type, part.model_type)) as Record<string, unknown>;
}

/** A family file gives the number and width of experts; in a spec every router output has its slot. */
function completeMoe(ffn: MoeFfnSpec & { width?: number }): void {
  const { width, experts } = ffn;
  ffn.slots ??= new Array<ExpertSpec>(experts).fill({ form: "dense", width: width as number });
  ffn.expertOf ??= Array.from({ length: experts }, (_, expert) => expert);
  delete ffn.width;
}

/** Activation functions by the names that configurations use. */
const ACTIVATIONS: Record<string, Activation> = {
  relu: "relu",
  relu2: "relu-squared",
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_fast: "gelu-tanh",
};

/** `$activation(name)` in the expressions of family files. */
function activation(name: unknown): Activation {
  const found = typeof name === "string" && Object.hasOwn(ACTIVATIONS, name) && ACTIVATIONS[name];
  if (!found)
    throw new Error(`the activation is ${JSON.stringify(name)}; accepted are ${Object.keys(ACTIVATIONS).join(", ")}`);
  return found;
}

function inherit(family: Family, all: Family[], depth = 0): Family {
  if (!family.extends) return family;
  const parent = all.find((other) => other.family === family.extends);
  if (!parent || depth > 8)
    throw new MoeError("bad-family",
      `load: family "${family.family}" extends "${family.extends}", which `
        + `${parent ? "nests too deeply" : "is not there"}.`);
  return merge(inherit(parent, all, depth + 1), family) as Family;
}

function merge(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over) || "$if" in over || "$use" in over) return over;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete result[key];
    else result[key] = key in base ? merge(base[key], value) : value;
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A null in config.json means the same as an absent key, and so does an infinite limit, which transformers 5 writes as
 * `{ "__float__": "Infinity" }`.
 */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (!isObject(value)) return value;
  if (typeof value.__float__ === "string") return null;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withoutNulls(item)]).filter(([, item]) => item !== null),
  );
}
