import { readFileSync } from "node:fs";
import { packageFile } from "../package-file.js";

type Keys = Record<string, unknown>;

let table: Record<string, Keys & { aliases?: Record<string, string> }> | undefined;

/**
 * A configuration with what transformers' class of its model_type puts in place of keys that are not there, and with
 * the names that the class takes for a key as well. A key that is null stays null: it was said. The values are made by
 * `.ci/config-defaults.py`; `default_theta`, `default_rope` and, by kind of layer, `default_ropes` are those of rotary
 * positions.
 *
 * @param modelTypes the first that is known counts, then the configuration's own
 * @example withDefaults({ model_type: "mixtral" }).default_theta  // 1000000
 */
export function withDefaults(config: Keys, ...modelTypes: unknown[]): Keys {
  table ??= JSON.parse(readFileSync(packageFile("data/config-defaults.json"), "utf8")) as NonNullable<typeof table>;
  const type = [...modelTypes, config.model_type].find((each) =>
    typeof each === "string" && Object.hasOwn(table!, each)
  );
  const known = type === undefined ? {} : table[type as string];
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
