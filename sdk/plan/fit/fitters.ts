import { MoeError, suggest } from "../../errors.js";
import { awq } from "./awq.js";
import type { Fitter } from "./fitter.js";
import { gptq } from "./gptq.js";
import { magnitude } from "./magnitude.js";
import { nearest } from "./nearest.js";
import { nystroem } from "./nystroem.js";
import { sparsegpt } from "./sparse-gpt.js";
import { svd } from "./svd.js";
import { wanda } from "./wanda.js";

/** Who finds factors, codes or zeros, by the name that plans use. */
const fitters: Readonly<Record<string, Fitter>> = { awq, gptq, magnitude, nearest, nystroem, sparsegpt, svd, wanda };

/** @throws MoeError `bad-plan` */
export function fitterNamed(name: string): Fitter {
  if (Object.hasOwn(fitters, name)) return fitters[name];
  throw new MoeError("bad-plan",
    `plan: it fits a weight by "${name}"; accepted are ${Object.keys(fitters).join(", ")}. ${
      suggest(name, Object.keys(fitters))
    }`);
}
