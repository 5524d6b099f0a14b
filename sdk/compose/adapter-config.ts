import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { FormatError, MoeError } from "../errors.js";
import { readText } from "../read-text.js";
import { shown } from "../shown.js";

/** adapter_config.json of PEFT, as far as it says what the tensors mean. */
export interface AdapterConfig {
  r: number;
  lora_alpha: number;
  use_rslora: boolean;
  use_dora: boolean;
  lora_bias: boolean;
  /** regular expressions on module paths, with another rank or alpha */
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  /** last words of module paths, or one regular expression on whole paths */
  target_modules: string | string[];
  exclude_modules: string | string[];
  /** parameters that are no modules, such as all experts in one: "mlp.experts.gate_up_proj" */
  target_parameters: string[];
  layers_to_transform?: number[];
  trainable_token_indices?: number[] | Record<string, number[]>;
}

/** Keys that say nothing about the result once the tensors are there. */
const SILENT = new Set(["alora_invocation_tokens", "auto_mapping", "base_model_name_or_path", "bias", "corda_config",
  "ensure_weight_tying", "eva_config", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
  "lora_dropout", "loftq_config", "lora_ga_config", "megatron_core", "modules_to_save", "peft_type", "peft_version",
  "qalora_group_size", "revision", "runtime_config", "task_type"]);
const READ = new Set(["r", "lora_alpha", "use_rslora", "use_dora", "lora_bias", "rank_pattern", "alpha_pattern",
  "target_modules", "exclude_modules", "target_parameters", "layers_to_transform", "trainable_token_indices"]);
/** Starts that take a part out of the base weights: the tensors belong to another base then. */
const CHANGES_BASE = /^(pissa|olora|loftq|corda|lora_ga)/i;
const ACCEPTED = "a LoRA adapter as peft saves it (adapter_config.json and adapter_model.safetensors)";

/**
 * Reads and checks adapter_config.json. An option that is not known and set could change the result, so it is refused.
 *
 * @throws MoeError `no-adapter`; FormatError `bad-adapter`
 */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig> {
  const path = join(folder, "adapter_config.json");
  const text = await readText(path, { verb: "adapt", accepted: ACCEPTED, maxBytes: 1 << 20, code: "bad-adapter" });
  if (text === undefined) throw new MoeError("no-adapter", `adapt: ${path} is not there; accepted is ${ACCEPTED}.`);
  const refuse = (seen: string, todo = "Save it again with peft.") =>
    new FormatError("bad-adapter", `adapt: ${seen}, in ${path}; accepted is ${ACCEPTED}. ${todo}`);
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(text) as Record<string, unknown>;
    if (typeof config !== "object" || config === null || Array.isArray(config)) throw new Error();
  } catch {
    throw refuse("it is not a JSON object");
  }
  if (config.peft_type !== "LORA")
    throw refuse(`peft_type is ${shown(config.peft_type)}, not "LORA"`, "Other kinds of adapters are not read.");
  if (config.init_lora_weights !== undefined && CHANGES_BASE.test(String(config.init_lora_weights)))
    throw refuse(`init_lora_weights is ${shown(config.init_lora_weights)}, which changed the base weights`,
      "Convert it with peft's path_initial_model_for_weight_conversion.");
  if (config.bias !== undefined && config.bias !== "none")
    throw refuse(`bias is ${shown(config.bias)}`, "Adapters that train the biases of the base are not read.");
  for (const [key, value] of Object.entries(config))
    if (!SILENT.has(key) && !READ.has(key) && isSet(value))
      throw refuse(`${key} is ${shown(value)}, an option that is not known here and may change the result`,
        "Leave it out if it does not.");
  const whole = (key: string, value: unknown, least: number): number => {
    if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
    throw refuse(`${key} is ${shown(value)}`);
  };
  const words = (key: string, more: (value: unknown) => boolean = () => false): unknown => {
    const value = config[key] ?? [];
    if (Array.isArray(value) && value.every((word) => typeof word === "string")) return value;
    if (more(value)) return value;
    throw refuse(`${key} is ${shown(value)}`);
  };
  const numbers = (key: string, from: number): Record<string, number> => {
    const value = config[key] ?? {};
    if (typeof value !== "object" || Array.isArray(value)) throw refuse(`${key} is ${shown(value)}`);
    return Object.fromEntries(Object.entries(value as object).map(([of, n]) => [of, whole(`${key}.${of}`, n, from)]));
  };
  const layers = config.layers_to_transform ?? undefined;
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  const r = whole("r", config.r ?? 8, 1), target = words("target_modules", isText) as string | string[];
  if (!Number.isInteger(r)) throw refuse(`r is ${r}`);
  const parameters = words("target_parameters") as string[];
  if (target.length === 0 && parameters.length === 0)
    throw refuse("target_modules names no module", "Say which modules the tensors belong to.");
  return {
    r,
    lora_alpha: whole("lora_alpha", config.lora_alpha ?? 8, Number.MIN_VALUE),
    use_rslora: config.use_rslora === true,
    use_dora: config.use_dora === true,
    lora_bias: config.lora_bias === true,
    rank_pattern: numbers("rank_pattern", 1),
    alpha_pattern: numbers("alpha_pattern", Number.MIN_VALUE),
    target_modules: target,
    exclude_modules: words("exclude_modules", isText) as string | string[],
    target_parameters: parameters,
    ...(layers !== undefined
      && { layers_to_transform: [layers].flat().map((n) => whole("layers_to_transform", n, 0)) }),
    ...(config.trainable_token_indices != null
      && { trainable_token_indices: config.trainable_token_indices as number[] }),
  };
}

function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "" || value === 0) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** Rank and scale of a module, as peft finds them. */
export function rankAndScale(config: AdapterConfig, path: string): { rank: number; scale: number } {
  const of = (pattern: Record<string, number>, otherwise: number) => {
    const key = Object.keys(pattern).find((key) => matches(`(?:.*\\.)?(?:${key})$`, [path]).length > 0);
    return key === undefined ? otherwise : pattern[key];
  };
  const rank = of(config.rank_pattern, config.r), alpha = of(config.alpha_pattern, config.lora_alpha);
  return { rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
}

/** The modules that a configuration targets, of these. */
export function targeted(config: AdapterConfig, paths: readonly string[]): string[] {
  const of = (names: string | string[]): ReadonlySet<string> =>
    new Set(
      typeof names === "string"
        ? names === "all-linear" ? paths : matches(`(?:${names})$`, paths)
        : paths.filter((path) => names.some((name) => path === name || path.endsWith(`.${name}`))),
    );
  const wanted = of(config.target_modules), left = of(config.exclude_modules);
  return paths.filter((path) => wanted.has(path) && !left.has(path) && inLayers(config, path));
}

function inLayers({ layers_to_transform: layers }: AdapterConfig, path: string): boolean {
  const layer = /\.(\d+)\./.exec(path)?.[1];
  return layers === undefined || (layer !== undefined && layers.includes(Number(layer)));
}

/** Expressions come from the file, and some never end: they get a second. @throws FormatError `bad-adapter` */
function matches(expression: string, paths: readonly string[]): string[] {
  try {
    return runInNewContext("paths.filter((path) => new RegExp(`^(?:${expression})`).test(path))", { expression, paths },
      { timeout: 1000 }) as string[];
  } catch (cause) {
    throw new FormatError("bad-adapter",
      `adapt: the expression ${JSON.stringify(expression).slice(0, 200)} of adapter_config.json cannot be used `
        + `(${String((cause as Error).message).slice(0, 100)}); accepted are regular expressions that end. Name the `
        + "modules instead.", { cause });
  }
}
