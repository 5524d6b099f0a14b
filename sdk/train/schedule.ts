import { MoeError, suggest } from "../errors.js";

export type ScheduleName = "linear" | "cosine" | "constant" | "inverse-sqrt" | "wsd" | "steps";

/**
 * Learning rate of step 1, 2, …, steps as a share of the highest: a linear rise over `warmup` steps, then the named
 * fall ("linear" and "cosine" to 0 after the last step, "inverse-sqrt" as sqrt(warmup / step); "wsd", warmup, stable,
 * decay: falls evenly to 0 over the last fifth; "steps" falls to 0.316 of itself at 80 and at 90 percent).
 *
 * @example schedule("linear", 100, 10)(5)   // 0.5
 * @example schedule("linear", 100, 10)(55)  // 0.5
 */
export function schedule(name: ScheduleName, steps: number, warmup: number): (step: number) => number {
  const falls: Record<ScheduleName, (step: number) => number> = {
    constant: () => 1,
    linear: (step) => (steps - step) / (steps - warmup),
    cosine: (step) => 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup))),
    wsd: (step) => Math.min(1, (steps - step) / (0.2 * steps)),
    steps: (step) => 0.316 ** ((step >= 0.8 * steps ? 1 : 0) + (step >= 0.9 * steps ? 1 : 0)),
    "inverse-sqrt": (step) => Math.sqrt(Math.max(1, warmup) / step),
  };
  const fall = falls[name];
  if (!Object.hasOwn(falls, name))
    throw new MoeError("unknown-schedule", `train: schedule is "${name}". ${suggest(name, Object.keys(falls))}`);
  return (step) => (step <= warmup ? step / warmup : Math.max(0, fall(Math.min(step, steps))));
}
