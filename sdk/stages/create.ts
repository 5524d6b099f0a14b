import { initializerFromConfig, specFromConfig } from "../checkpoint/family.js";
import { resolveModel } from "../checkpoint/hub.js";
import { MoeError } from "../errors.js";
import { initialize } from "../model/initialize.js";
import { Model } from "../model/model.js";
import { specSchema } from "../model/spec-schema.js";
import type { ModelSpec } from "../model/spec.js";
import { type ExpertsOptions, withExperts } from "../model/with-experts.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { shown } from "../shown.js";
import { Rng } from "../tensor/index.js";
import { loadTokenizer } from "../text/index.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";

export interface CreateOptions {
  /** of the random weights; default 0 */
  seed?: number;
  /**
   * variance times fan-in of the matrices (Switch takes 0.1 at scale); default for a configuration its family's own
   * initialiser in transformers (`initializer_range`, `initializer_factor`), for a ModelSpec 1
   */
  gain?: number;
  /**
   * a model, bundled, in a folder or of the hub, whose tokenizer and tasks the new one takes; without it, give data to
   * every stage
   */
  tokenizer?: string;
  /** name of the new model; default its family */
  id?: string;
}

/** @throws MoeError `bad-architecture` for what config.json could not hold */
function plain(architecture: Record<string, unknown>): Record<string, unknown> {
  try {
    parseJson(JSON.stringify(architecture));
    return architecture;
  } catch (cause) {
    throw new MoeError("bad-architecture",
      `create: the configuration is none that JSON holds (${(cause as Error).message}); accepted is what a config.json `
        + "says. Give that.", { cause });
  }
}

/**
 * Begins with a new model of random weights.
 *
 * @param architecture a Hugging Face configuration (`vocab_size` may be left to the tokenizer), or a ModelSpec
 *   (saved with it, a folder opens in moelab alone). Beside either, `experts`, `router`, `shared`, `every` put experts
 *   in place of the feed-forward blocks: see `ExpertsOptions`
 * @throws MoeError `bad-architecture`, `unknown-family`
 */
export async function createStage(
  architecture: (Record<string, unknown> | ModelSpec) & Partial<ExpertsOptions>,
  options: CreateOptions = {},
): Promise<StudyState> {
  const took = measureStage();
  const { seed = 0, gain, tokenizer } = options;
  const folder = tokenizer === undefined ? "" : await resolveModel(tokenizer);
  if (typeof architecture !== "object" || architecture === null)
    throw new MoeError("bad-architecture",
      `create: the architecture is ${shown(architecture)}; accepted is a Hugging Face configuration or a ModelSpec. `
        + "Give one of them.");
  const { experts, router, shared, every, passes, inputScale, ...base } = architecture as Record<string, unknown>;
  const config = "model_type" in architecture ? { ...plain(base) } : undefined;
  if (!config && !("decoder" in architecture)) {
    throw new MoeError("bad-architecture",
      `create: the architecture has ${Object.keys(architecture).slice(0, 5).join(", ") || "nothing"}; `
        + "accepted is a Hugging Face configuration with model_type, or a ModelSpec with decoder. Give one of "
        + "them.");
  }
  if (config && config.vocab_size === undefined && folder) config.vocab_size = (await loadTokenizer(folder)).size;
  const bad = (why: string) => new MoeError("bad-architecture", `create: in the ModelSpec ${why}`);
  const said = config ? await specFromConfig(config) : parsed(specSchema, base, bad);
  const own = experts !== undefined || router !== undefined;
  const wanted = { experts: experts ?? [{}], router, shared, every, passes, inputScale } as ExpertsOptions;
  const spec = own ? parsed(specSchema, withExperts(said, wanted), bad) : said;
  const how = gain ?? (config && await initializerFromConfig(config));
  const model = new Model(options.id ?? spec.family, spec, initialize(spec, new Rng(`create ${seed}`), how));
  return { model, original: model, opened: { model, folder, config: config && !own ? config : {} },
    steps: [{ stage: "create", options: { architecture, seed, ...options }, ...took() }] };
}
