import { watchMemory } from "../tensor/peak-memory.js";
import type { Step } from "./study-state.js";

/**
 * To be called when a stage begins; what it gives, called at the end, is the time and the memory that the stage took.
 */
export function measureStage(): () => Pick<Step, "timeMs" | "peakBytes"> {
  const started = performance.now();
  const peak = watchMemory();
  return () => {
    const peakBytes = peak();
    return { timeMs: performance.now() - started, ...(peakBytes !== undefined && { peakBytes }) };
  };
}
