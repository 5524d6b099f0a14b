import { tf } from "../../tensor/index.js";
import type { Form } from "./form.js";
import type { Scaled } from "./matrix-form.js";

/**
 * (W diag(s)) x, or diag(s) W x: the vectors of (IA)^3 (arXiv:2205.05638), of scales that are trained to be pruned, and
 * what AWQ divides activations by (arXiv:2306.00978). `….scale` is [in] or [out] and starts as ones.
 */
export const scaled: Form<Scaled> = {
  form: "scaled",
  tensors: (
    { side },
    [out, width],
  ) => [{ name: "", shape: [out, width] }, { name: ".scale", shape: [side === "in" ? width : out], start: 1 }],
  whole: ({ side }, part) => tf.mul(part(""), tf.expandDims(part(".scale"), side === "in" ? -2 : -1)),
  apply: (x, { side }, part) =>
    side === "in"
      ? tf.matMul(tf.mul(x, part(".scale")), part(""), false, true)
      : tf.mul(tf.matMul(x, part(""), false, true), part(".scale")),
};
