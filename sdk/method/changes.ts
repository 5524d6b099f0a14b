import type { Plan } from "../plan/plan.js";
import { isFactored } from "../plan/slot-form.js";

/** What changes; `planWith` adds who says so, for which weights, and with which options. */
export type Changes = Omit<Plan, "version" | "for" | "method" | "paper" | "options">;

/** Whether plans of version 1 can say it. */
export function isVersion1({ layers, ...rest }: Changes): boolean {
  return Object.keys(rest).length === 0
    && Object.values(layers).every(({ drop, slots, router = {}, ...further }) =>
      !Array.isArray(drop) && !("spec" in further) && !("spec" in router) && !("mix" in router)
      && (slots ?? []).every(({ from }) => from.every(({ expert, model }) => expert !== undefined && !model))
      && (slots ?? []).every(({ form }) => !form || form.form === "dense" || isFactored(form))
    );
}
