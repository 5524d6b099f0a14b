import { readFileSync } from "node:fs";
import { packageFile } from "../package-file.js";

type Keys = Record<string, unknown>;

let table: Record<string, Keys & { aliases?: Record<string, string> }> | undefined;

/**
 * A configuration with what transformers' class of its model_type puts in place of keys that are not there, and with
 * the names that the class takes for a key as well. A key that is null stays null: it was said. The values are made by
 * `.ci/config-defaults.py`; `default_theta` and `default_rope` are those of rotary positions.
 *
 * @example withDefaults({ model_type: "mixtral" }).default_theta  // 1000000
 */
export function withDefaults(config: Keys, modelType = config.model_type): Keys {
  table ??= JSON.parse(readFileSync(packageFile("data/config-defaults.json"), "utf8")) as NonNullable<typeof table>;
  const known = typeof modelType === "string" && Object.hasOwn(table, modelType) ? table[modelType] : {};
  const { aliases = {}, ...defaults } = known;
  const said = { ...config };
  for (const [alias, own] of Object.entries(aliases)) if (alias in said && !(own in said)) said[own] = said[alias];
  const whole: Keys = { ...defaults, ...said };
  for (const [key, value] of Object.entries(defaults))
    if (isObject(value) && isObject(said[key]) && key !== "default_rope") whole[key] = { ...value, ...said[key] };
  return whole;
}

function isObject(value: unknown): value is Keys {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
