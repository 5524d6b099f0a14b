import { MoeError, suggest } from "../errors.js";
import { activate } from "./backends/activate.js";
import type { EngineInfo, Refusal } from "./backends/candidate.js";
import { candidates } from "./backends/candidates.js";

export interface ReadyOptions {
  /** name of a candidate, as `moelab doctor` lists them; the environment variable MOELAB_BACKEND comes before it */
  backend?: string;
}

let choice: Promise<EngineInfo> | undefined;
let info: EngineInfo | undefined;

/**
 * Chooses what computes, once: the first candidate that loads and computes. Later calls return the same.
 * A package that is broken never stops the start; why it was refused is kept for `moelab doctor`.
 *
 * @throws MoeError `unknown-backend`, or `backend-refused` when a named one cannot be had
 */
export function ready(options: ReadyOptions = {}): Promise<EngineInfo> {
  choice ??= choose(process.env.MOELAB_BACKEND || options.backend).catch((error) => {
    choice = undefined;
    throw error;
  });
  return choice;
}

/** What `ready()` chose. @throws MoeError `engine-not-ready` */
export function engineInfo(): EngineInfo {
  if (!info)
    throw new MoeError("engine-not-ready", "engineInfo: the engine has not been started. Await ready() first.");
  return info;
}

async function choose(asked?: string): Promise<EngineInfo> {
  const names = candidates.map(({ name }) => name);
  if (asked && !names.includes(asked)) {
    throw new MoeError("unknown-backend",
      `ready: back end "${asked}" (MOELAB_BACKEND, or the option backend) is not known. ${suggest(asked, names)}`);
  }
  const refused: Refusal[] = [];
  for (const candidate of asked ? candidates.filter(({ name }) => name === asked) : candidates) {
    const outcome = await activate(candidate, asked !== undefined);
    if (outcome.ok) {
      const { ok: _, ...active } = outcome;
      return (info = { ...active, refused });
    }
    refused.push({ name: candidate.name, reason: outcome.reason, cure: outcome.cure });
  }
  const { name, reason, cure } = refused[refused.length - 1];
  throw new MoeError("backend-refused", `ready: back end "${name}" cannot be used: ${reason}. ${cure}`);
}
