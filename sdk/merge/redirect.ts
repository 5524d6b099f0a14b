import type { Method } from "../method/method.js";
import { mSmoe, type MSmoeOptions } from "./m-smoe.js";

/**
 * The control that arXiv:2310.01334 does not have: the groups of M-SMoE, but a group's expert is its leader and
 * nothing is averaged. What M-SMoE gains over it is the worth of averaging.
 */
export const redirect: Method<Omit<MSmoeOptions, "result" | "weights" | "align" | "alignTo">> = {
  name: "redirect",
  paper: "",
  kind: "merge",
  about: "the groups of m-smoe, but the leader in place of the mean: the control for averaging",
  needs: mSmoe.needs,
  needsFor: mSmoe.needsFor,
  options: mSmoe.options!.filter((name) => !["result", "weights", "align", "alignTo"].includes(name)),
  plan: async (profile, options) => ({ ...(await mSmoe.plan(profile, { ...options, result: "leader" })),
    method: "redirect", paper: undefined, options: { ...options } }),
};
