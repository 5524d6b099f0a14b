import "#tfjs-side-effects";
import { sigmoid, softmax } from "./activations.js";
import { comparisons } from "./comparisons.js";
import { cumprod, cumsum } from "./cumulative.js";
import { einsum } from "./einsum.js";
import { gatherNd, scatterNd, stridedSlice } from "./indexing.js";
import { matMul } from "./mat-mul.js";
import { split, unstack } from "./parts.js";
import { mean, sum, tile } from "./reductions.js";
import { replaceGradient } from "./replace-gradient.js";
import { topK } from "./top-k.js";

/**
 * Registers the gradients that TensorFlow.js lacks or has wrong, for every back end. Without one stay: complex numbers
 * and FFT, SparseToDense, SearchSorted.
 */
export function registerGradients(): void {
  for (const gradient of [sigmoid, softmax, sum, mean, tile, topK, split, unstack, matMul, einsum, gatherNd, scatterNd,
    stridedSlice, cumprod, cumsum, ...comparisons]) replaceGradient(gradient);
}
