import { MoeError, suggest } from "../errors.js";
import { belady } from "./policies/belady.js";
import { fifo } from "./policies/fifo.js";
import { lfuHalve } from "./policies/lfu-halve.js";
import { lfuResident } from "./policies/lfu-resident.js";
import { lfu } from "./policies/lfu.js";
import { lfuda } from "./policies/lfuda.js";
import { lifo } from "./policies/lifo.js";
import { lru } from "./policies/lru.js";
import { random } from "./policies/random.js";
import type { Policy } from "./policy.js";

/** Makes a policy for one pool. */
export type PolicyMaker = (options?: { period?: number }) => Policy;

const policies: Record<string, PolicyMaker> = { lru, fifo, lifo, lfu, "lfu-resident": lfuResident,
  "lfu-halve": lfuHalve, lfuda, belady, random };

export const policyNames: readonly string[] = Object.keys(policies);

/** A policy by name, or one of your own. @throws MoeError `unknown-policy` */
export function policyNamed(policy: string | PolicyMaker): PolicyMaker {
  if (typeof policy !== "string") return policy;
  if (Object.hasOwn(policies, policy)) return policies[policy];
  throw new MoeError("unknown-policy", `offload: the policy is "${policy}". ${suggest(policy, policyNames)}`);
}
