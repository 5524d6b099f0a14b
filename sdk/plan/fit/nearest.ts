import { MoeError } from "../../errors.js";
import { codecOf } from "../../tensor/formats/codecs.js";
import type { Fitter } from "./fitter.js";

/** Each number becomes the nearest that the format can hold, by the format's own rule. */
export const nearest: Fitter = {
  check({ format }) {
    if (!format)
      throw new MoeError("bad-plan",
        "plan: the nearest numbers of no format are asked for; accepted is { format: { kind, … } } beside it.");
  },
  async fit(weight, shape, { format }) {
    return { codes: codecOf(format!).encode(weight, shape, format!) };
  },
  work: ([out, width]) => ({ holds: out * width }),
};
