import type { lowRankSparse, svdCompression } from "../compress/low-rank-sparse.js";
import type { averaging } from "../merge/averaging.js";
import type { gitRebasin } from "../merge/git-rebasin.js";
import type { hcSmoe } from "../merge/hc-smoe.js";
import type { mSmoe } from "../merge/m-smoe.js";
import type { meo } from "../merge/meo.js";
import type { redirect } from "../merge/redirect.js";
import type { repair } from "../merge/repair.js";
import type { zipit } from "../merge/zipit.js";
import type { Method } from "../method/method.js";
import type { frequency } from "../prune/frequency.js";
import type { naee } from "../prune/naee.js";
import type { reap } from "../prune/reap.js";
import type { taskSpecific } from "../prune/task-specific.js";
import type { dynamicSkipping } from "../route/dynamic-skipping.js";
import type { ChangeOptions } from "./change.js";
import type { MemoryOptions } from "./memory.js";

type OptionsOf<M> = M extends Method<infer O> ? O : never;

/**
 * The methods of each verb and their options, so that an editor can offer them; a test compares the names with the list
 * of methods.
 */
export interface MergeMethods {
  "m-smoe": OptionsOf<typeof mSmoe>;
  redirect: OptionsOf<typeof redirect>;
  averaging: OptionsOf<typeof averaging>;
  "git-rebasin": OptionsOf<typeof gitRebasin>;
  repair: OptionsOf<typeof repair>;
  zipit: OptionsOf<typeof zipit>;
  "hc-smoe": OptionsOf<typeof hcSmoe>;
  meo: OptionsOf<typeof meo>;
}

export interface PruneMethods {
  frequency: OptionsOf<typeof frequency>;
  "task-specific": OptionsOf<typeof taskSpecific>;
  reap: OptionsOf<typeof reap>;
  naee: OptionsOf<typeof naee>;
}

export interface CompressMethods {
  "low-rank-sparse": OptionsOf<typeof lowRankSparse>;
  svd: OptionsOf<typeof svdCompression>;
}

export interface RouteMethods {
  "dynamic-skipping": OptionsOf<typeof dynamicSkipping>;
}

/** One of moelab's methods with its own options, or any method, whose options are checked when it plans. */
export type OptionsFor<Methods> = {
  [Name in keyof Methods]: { method: Name; signal?: AbortSignal } & Methods[Name] & MemoryOptions;
}[keyof Methods] | ChangeOptions;
