import { method } from "../method/method.js";
import { mSmoe } from "./m-smoe.js";
import { similarityNeeds } from "./similarity.js";

const { result: _, weights: __, align: ___, alignTo: ____, ...options } = mSmoe.options;

/**
 * The control that arXiv:2310.01334 does not have: the groups of M-SMoE, but a group's expert is its leader and
 * nothing is averaged. What M-SMoE gains over it is the worth of averaging.
 */
export const redirect = method({
  name: "redirect",
  kind: "merge",
  about: "the groups of m-smoe, but the leader in place of the mean: the control for averaging",
  options,
  needs: ({ similarity }) => similarityNeeds(similarity),
  plan: (profile, given, lab) =>
    mSmoe.plan(profile, { ...given, result: "leader", weights: "frequency", align: "none", alignTo: "first" }, lab),
});
