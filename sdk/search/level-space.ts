import type { Changes } from "../method/changes.js";
import type { Draws } from "../tensor/draws.js";
import { type LevelRules, type Levels, switched } from "./levels.js";
import type { Space } from "./search.js";

export interface LevelSpaceOptions {
  rules: LevelRules;
  first(draws: Draws): Levels;
  /** what a unit at a level changes; nothing where it stays as it is */
  change(unit: number, level: number): Changes | undefined;
  vary?(parent: Levels, draws: Draws): Levels | undefined;
}

/** Plans that give each unit a level: by switches of two, or by another rule. */
export function levelSpace({ rules, first, change, vary }: LevelSpaceOptions): Space<Levels> {
  return {
    first,
    changes: (levels) => joined(levels.flatMap((level, unit) => change(unit, level) ?? [])),
    vary: ([{ candidate }], draws) => (vary ?? ((parent, draws) => switched(parent, rules, draws)))(candidate, draws),
    key: String,
  };
}

/** Changes of units together; blocks that go from one layer add up. */
export function joined(all: readonly Changes[]): Changes {
  const layers: Changes["layers"] = {}, weights: NonNullable<Changes["weights"]> = {};
  for (const part of all) {
    Object.assign(weights, part.weights);
    for (const [id, { drop = [], ...rest }] of Object.entries(part.layers)) {
      const before = layers[id]?.drop ?? [];
      layers[id] = { ...layers[id], ...rest,
        ...([...before].length + drop.length > 0
          && { drop: [...new Set([before, drop].flat())] as ("attention" | "ffn")[] }) };
    }
  }
  return { layers, ...(Object.keys(weights).length > 0 && { weights }) };
}
