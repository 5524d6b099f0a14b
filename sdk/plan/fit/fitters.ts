import { MoeError, suggest } from "../../errors.js";
import type { Fitter } from "./fitter.js";
import { nearest } from "./nearest.js";
import { nystroem } from "./nystroem.js";
import { svd } from "./svd.js";

/** Who finds factors, codes or zeros, by the name that plans use. */
const fitters: Readonly<Record<string, Fitter>> = { nearest, nystroem, svd };

/** @throws MoeError `bad-plan` */
export function fitterNamed(name: string): Fitter {
  if (Object.hasOwn(fitters, name)) return fitters[name];
  throw new MoeError("bad-plan",
    `plan: it fits a weight by "${name}"; accepted are ${Object.keys(fitters).join(", ")}. ${
      suggest(name, Object.keys(fitters))
    }`);
}
