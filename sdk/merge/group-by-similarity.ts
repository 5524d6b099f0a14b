import { MoeError } from "../errors.js";
import { byFallingUsage } from "../method/falling-order.js";

export interface GroupOptions {
  /** members that a group may have, its leader included; a full group takes no more. Default: no limit */
  capacity?: number;
  /**
   * Replays the slip of the released code's uniform grouping: it walks over the ids G to E-1 in place of the
   * experts that do not lead, so that one with an id below G stays in the group of that number. Default false.
   */
  releasedSlip?: boolean;
}

/**
 * Puts every expert into the group of the leader that it resembles most (algorithm 1 of arXiv:2310.01334).
 * Experts choose in the order of falling usage, which matters when groups have a capacity; ties go to the
 * leader that is used more.
 *
 * @param usage E shares
 * @param similarity [E][E], larger is closer
 * @param leaders expert indices, most used first; group g is led by leaders[g]
 * @returns E labels in [0, G)
 * @throws MoeError `groups-too-small` when the groups cannot hold all experts
 * @example groupBySimilarity([0.6, 0.3, 0.1], [[1, 0, 0.9], [0, 1, 0.2], [0.9, 0.2, 1]], [0, 1])  // [0, 1, 0]
 */
export function groupBySimilarity(
  usage: number[],
  similarity: number[][],
  leaders: number[],
  options: GroupOptions = {},
): number[] {
  const experts = usage.length;
  const capacity = options.capacity ?? experts;
  if (capacity * leaders.length < experts) {
    throw new MoeError("groups-too-small",
      `group: ${leaders.length} groups of at most ${capacity} cannot hold ${experts} experts; accepted is `
        + `a capacity of ${Math.ceil(experts / leaders.length)} or more. Raise capacity or keep.`);
  }
  const labels = usage.map((_, expert) => expert);
  leaders.forEach((leader, group) => (labels[leader] = group));
  const members = leaders.map(() => 1);

  const joining = options.releasedSlip
    ? labels.map((_, expert) => expert).slice(leaders.length)
    : byFallingUsage(usage).filter((expert) => !leaders.includes(expert));
  for (const expert of joining) {
    let best = -1;
    leaders.forEach((leader, group) => {
      if (members[group] >= capacity) return;
      if (best < 0 || similarity[expert][leader] > similarity[expert][leaders[best]]) best = group;
    });
    labels[expert] = best;
    members[best] += 1;
  }
  return labels;
}
