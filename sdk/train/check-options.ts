import * as v from "valibot";
import { MoeError } from "../errors.js";
import { parsed } from "../parsed.js";

const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(number, v.integer(), v.maxValue(1e9));
const positive = v.pipe(number, v.gtValue(0));
const from0 = v.pipe(number, v.minValue(0));
const share = v.pipe(number, v.minValue(0), v.maxValue(1));
const flag = v.optional(v.boolean());

/** The numbers and words of `TrainOptions`, and those of the stages that train. */
const Options = v.looseObject({
  steps: v.pipe(whole, v.minValue(1)),
  lr: from0,
  batch: v.optional(v.union([v.function(), v.pipe(whole, v.minValue(1))], "accepted is a whole number from 1")),
  warmup: v.optional(v.pipe(whole, v.minValue(0))),
  beta1: v.optional(v.pipe(share, v.maxValue(1 - 1e-9))),
  beta2: v.optional(v.pipe(share, v.maxValue(1 - 1e-9))),
  eps: v.optional(positive),
  decay: v.optional(from0),
  clip: v.optional(positive),
  balance: v.optional(from0),
  zLoss: v.optional(from0),
  weighting: v.optional(v.picklist(["token", "example"])),
  alpha: v.optional(from0),
  temperature: v.optional(positive),
  convention: v.optional(v.picklist(["paper", "textbook"])),
  countPadding: flag,
  routers: flag,
  prune: v.optional(
    v.looseObject({ keep: positive, exclude: v.optional(v.array(v.string())),
      mask: v.optional(v.picklist(["additive", "released-product"])) }),
  ),
  sparsify: v.optional(
    v.union([v.literal(false),
      v.looseObject({ start: v.optional(from0), settle: v.optional(from0), beta: v.optional(share) })],
      "accepted is false, or numbers from 0"),
  ),
  state: v.optional(v.union([v.string(), v.looseObject({ folder: v.string() })], "accepted is the path of a folder")),
});

/**
 * Checks what an optimiser would take for a number: NaN in a weight shows steps later.
 *
 * @throws MoeError `bad-option`
 */
export function checkTraining(verb: string, options: object): void {
  parsed(Options, options, (why) => new MoeError("bad-option", `${verb}: ${why} Change it, or leave it out.`));
}
