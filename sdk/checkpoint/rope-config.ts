import { MoeError } from "../errors.js";
import type { RotaryScaling } from "../model/attention-spec.js";

/** What a configuration says about rotary positions: `$rope` in the expressions of family files. */
export interface RopeConfig {
  theta: number;
  /** share of a head's channels that is turned */
  partial: number;
  scaling?: RotaryScaling;
  /** yarn's correction of the softmax scale in multi-head latent attention: (0.1 mscale_all_dim ln factor + 1)^2 */
  softmaxScale: number;
}

type Keys = Record<string, unknown>;

/**
 * Reads rotary settings in both forms: `rope_theta`, `rope_scaling` and `partial_rotary_factor` as published
 * configurations have them, or all inside `rope_parameters` as transformers 5 writes them, for each kind of layer apart
 * where they differ.
 *
 * @param type kind of layer, as `layer_types` has it
 * @throws MoeError `bad-config` for a kind of scaling that is not known
 */
export function ropeConfig(config: Keys, type?: string): RopeConfig {
  const all = { ...settings(config, "default_ropes"), ...settings(config, "rope_parameters") };
  const later = type !== undefined && type in all ? settings(all, type) : all;
  const said = { ...later, ...settings(config, "rope_scaling") };
  const scaling = Object.keys(said).length > 0 ? said : settings(config, "default_rope");
  const mscale = number(scaling.mscale_all_dim, 0);
  const softmax = mscale ? 0.1 * mscale * Math.log(Math.max(1, number(scaling.factor, 1))) + 1 : 1;
  return {
    theta: number(later.rope_theta ?? config.rope_theta ?? config.default_theta, 10_000),
    partial: number(later.partial_rotary_factor ?? config.partial_rotary_factor, 1),
    scaling: scalingOf(scaling, config),
    softmaxScale: softmax * softmax,
  };
}

function settings(config: Keys, key: string): Keys {
  const value = config[key] ?? {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Keys;
  throw new MoeError("bad-config",
    `load: ${key} is ${JSON.stringify(value).slice(0, 80)} in config.json; accepted is an object. Check `
      + "the configuration.");
}

function scalingOf(rope: Keys, config: Keys): RotaryScaling | undefined {
  const kind = rope.rope_type ?? rope.type ?? "default";
  const trained = number(config.max_position_embeddings, 2048);
  const length = number(config.original_max_position_embeddings ?? rope.original_max_position_embeddings, trained);
  const factor = number(rope.factor, trained / length);
  switch (kind) {
    case "default":
      return undefined;
    case "linear":
      return { kind: "linear", factor };
    case "dynamic":
      return rope.alpha ? { kind: "ntk", alpha: number(rope.alpha, 1) } : { kind: "dynamic", factor, length: trained };
    case "llama3":
      return { kind: "llama3", factor, low: number(rope.low_freq_factor, 1), high: number(rope.high_freq_factor, 4),
        length };
    case "yarn":
      return { kind: "yarn", factor, length, fast: number(rope.beta_fast, 32), slow: number(rope.beta_slow, 1),
        truncate: rope.truncate !== false, amplitude: yarnAmplitude(rope, factor) };
    case "longrope":
    case "su": {
      const extended = number(rope.factor, trained / length);
      const amplitude = number(rope.attention_factor,
        extended <= 1 ? 1 : Math.sqrt(1 + Math.log(extended) / Math.log(length)));
      return {
        kind: "longrope",
        length,
        short: rope.short_factor as number[],
        long: rope.long_factor as number[],
        shortAmplitude: number(rope.short_mscale, amplitude),
        longAmplitude: number(rope.long_mscale, amplitude),
      };
    }
    default:
      throw new MoeError("bad-config",
        `load: rope_type is ${
          JSON.stringify(kind)
        } in config.json; accepted are default, linear, dynamic, llama3, yarn `
          + "and longrope. Check the configuration.");
  }
}

/** arXiv:2309.00071, equation 22; DeepSeek divides two of them. */
function yarnAmplitude(rope: Keys, factor: number): number {
  const at = (mscale: number) => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const [own, all] = [number(rope.mscale, 0), number(rope.mscale_all_dim, 0)];
  return number(rope.attention_factor, own && all ? at(own) / at(all) : at(1));
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
