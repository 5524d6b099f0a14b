import type { Draws } from "../tensor/draws.js";

/** A level for each unit. A step costs the same in all units of a group, so a switch inside one keeps the budget. */
export type Levels = readonly number[];

export interface LevelRules {
  /** lowest and highest level of each unit */
  low: readonly number[];
  high: readonly number[];
  /** units that switch among each other */
  groups: readonly (readonly number[])[];
  /** how one that can move is found: out of a list of those, or by drawing among all until one can; default "listed" */
  pick?: "listed" | "redrawn";
  /** how far a level may be from 0, and all of them together; default any */
  farthest?: number;
  total?: number;
}

/**
 * A copy with one to three switches, few more often than many: a unit goes down a level and one of its group goes up.
 * arXiv:2410.14649, section 3.2.
 *
 * @returns undefined where no unit can move, or where the levels are farther from 0 than they may be
 */
export function switched(parent: Levels, rules: LevelRules, draws: Draws): Levels | undefined {
  const levels = [...parent];
  const { low, high, groups, pick = "listed", farthest = Infinity, total = Infinity } = rules;
  const fewest = Math.min(draws.whole(1, 3), draws.whole(1, 3));
  const can = (unit: number, step: 1 | -1) => {
    const level = levels[unit] + step;
    return level >= low[unit] && level <= high[unit] && Math.abs(level) <= farthest;
  };
  const chosen = (group: readonly number[], step: 1 | -1): number | undefined => {
    const movable = group.filter((unit) => can(unit, step));
    if (movable.length === 0) return undefined;
    if (pick === "listed") return movable[draws.place(movable.length)];
    for (;;) {
      const unit = group[draws.whole(0, group.length - 1)];
      if (can(unit, step)) return unit;
    }
  };
  for (let flip = 0; flip < fewest; flip++) {
    const group = pick === "listed" ? groups[draws.weighted(groups.map(({ length }) => length))] : groups[0];
    const down = chosen(group, -1);
    const up = down === undefined ? undefined : chosen(group, 1);
    if (down === undefined || up === undefined) return undefined;
    levels[down]--;
    levels[up]++;
  }
  return levels.reduce((sum, level) => sum + Math.abs(level), 0) > total ? undefined : levels;
}

/**
 * A copy in which units of unequal size change: some go up a level, and then any go down until the sum of size times
 * level is at most the target. Group rule "none" of the released code.
 *
 * @param sizes of the units, in the unit of the target
 * @returns undefined after more than ten changes, or where less than 0.8 of what was taken was given
 */
export function traded(
  parent: Levels,
  { low, high, groups }: LevelRules,
  { sizes, target }: { sizes: readonly number[]; target: number },
  draws: Draws,
): Levels | undefined {
  const levels = [...parent];
  let spent = levels.reduce((sum, level, unit) => sum + level * sizes[unit], 0);
  const moved = { up: 0, down: 0 };
  const move = (step: 1 | -1): boolean => {
    const group = groups[draws.weighted(groups.map(({ length }) => length))];
    const movable = group.filter((unit) => (step > 0 ? levels[unit] < high[unit] : levels[unit] > low[unit]));
    if (movable.length === 0) return false;
    const unit = movable[draws.place(movable.length)];
    levels[unit] += step;
    spent += step * sizes[unit];
    moved[step > 0 ? "up" : "down"] += sizes[unit];
    return true;
  };
  let changes = Math.min(draws.whole(1, 3), draws.whole(1, 3));
  for (let up = 0; up < changes; up++) if (!move(1)) return undefined;
  for (; spent > target; changes++) if (!move(-1)) return undefined;
  return changes > 10 || moved.up / Math.max(1, moved.down) < 0.8 ? undefined : levels;
}

/** Levels drawn at random: any one goes down until the sum of size times level is at most the target. */
export function drawnLevels(
  start: Levels,
  { low, groups }: LevelRules,
  { sizes, target }: { sizes: readonly number[]; target: number },
  draws: Draws,
): Levels {
  const levels = [...start];
  let spent = levels.reduce((sum, level, unit) => sum + level * sizes[unit], 0);
  while (spent > target) {
    const open = groups.map((group) => group.filter((unit) => levels[unit] > low[unit]));
    const group = open[draws.weighted(open.map(({ length }, at) => (length > 0 ? groups[at].length : 0)))];
    const unit = group[draws.place(group.length)];
    levels[unit]--;
    spent -= sizes[unit];
  }
  return levels;
}
