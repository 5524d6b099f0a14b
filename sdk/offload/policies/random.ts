import type { Policy } from "../policy.js";

/** Any expert goes: the control. */
export const random = (): Policy => ({ victim: (slots, pool) => slots[Math.floor(pool.random() * slots.length)] });
