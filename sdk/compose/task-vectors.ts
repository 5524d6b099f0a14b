/** Changes of the same weights by several trainings. */
export type TaskVectors = readonly Float32Array[];

/** How changes are joined; `sign`: whose sign counts where they disagree, that of their sum or of their majority. */
export interface Joining {
  weights: readonly number[];
  /** share of each change that stays; default all */
  keep?: { by: "magnitude"; density: number } | { by: "random"; density: number;
    mask(task: number): ArrayLike<number> };
  /** TIES (arXiv 2306.01708); absent: a plain weighted sum (task arithmetic, arXiv 2212.04089) */
  elect?: "total" | "frequency";
}

/**
 * Joins task vectors: some of each stays (the largest, or random ones scaled up, DARE arXiv 2311.03099), then they are
 * summed, or only those whose sign was elected.
 *
 * @example joinTasks([Float32Array.of(1, -2), Float32Array.of(3, 4)], { weights: [1, 1], elect: "total" })  // 2, 4
 */
export function joinTasks(tasks: TaskVectors, { weights, keep, elect }: Joining): Float32Array {
  const kept = !keep
    ? tasks
    : tasks.map((task, at) =>
      keep.by === "magnitude" ? largest(task, keep.density) : rescaled(task, keep.mask(at), keep.density)
    );
  const joined = new Float32Array(tasks[0].length);
  for (let i = 0; i < joined.length; i++) {
    let total = 0;
    if (elect) { for (const task of kept) total += elect === "total" ? task[i] : Math.sign(task[i]); }
    const sign = total >= 0 ? 1 : -1;
    let sum = 0, agree = 0;
    for (let at = 0; at < kept.length; at++) {
      if (elect && Math.sign(kept[at][i]) !== sign) continue;
      sum += weights[at] * kept[at][i];
      agree += 1;
    }
    joined[i] = elect ? sum / Math.max(1, agree) : sum;
  }
  return joined;
}

/** The share of largest magnitude; of equal ones at the limit those that come first. */
export function largest(task: Float32Array, density: number): Float32Array {
  const count = Math.floor(density * task.length);
  const magnitudes = Float32Array.from(task, Math.abs);
  const limit = count > 0 ? magnitudes.slice().sort()[task.length - count] : Infinity;
  let equal = count - magnitudes.reduce((above, magnitude) => above + (magnitude > limit ? 1 : 0), 0);
  return task.map((value, i) => magnitudes[i] > limit || (magnitudes[i] === limit && equal-- > 0) ? value : 0);
}

function rescaled(task: Float32Array, mask: ArrayLike<number>, density: number): Float32Array {
  return task.map((value, i) => (mask[i] ? value / density : 0));
}
