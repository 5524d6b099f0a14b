import { registerComparisonGradients } from "./comparisons.js";
import { registerTopKGradient } from "./top-k.js";

/** Registers the gradients that TensorFlow.js lacks, for every back end. */
export function registerGradients(): void {
  registerTopKGradient();
  registerComparisonGradients();
}
