import type { EngineInfo, Refusal } from "./backends/candidate.js";
import { candidates } from "./backends/candidates.js";
import { MoeError, suggest } from "../errors.js";
import { registerGradients } from "./gradients/register.js";

export interface ReadyOptions {
  /** name of a back end, as `moelab doctor` lists them; also from the environment variable MOELAB_BACKEND */
  backend?: string;
}

let active: Promise<EngineInfo> | undefined;
let info: EngineInfo | undefined;

/**
 * Chooses the back end, once: the first candidate that loads and computes. Later calls return the same.
 * A package that is broken never stops the start; why it was refused is kept for `moelab doctor`.
 *
 * @throws MoeError `unknown-backend`, or `backend-refused` when a named one cannot be had
 */
export function ready(options: ReadyOptions = {}): Promise<EngineInfo> {
  const wanted = process.env.MOELAB_BACKEND || options.backend;
  active ??= choose(wanted).catch((error) => { active = undefined; throw error; });
  return active;
}

/** What `ready()` chose. @throws MoeError `engine-not-ready` */
export function engineInfo(): EngineInfo {
  if (!info) throw new MoeError("engine-not-ready", "engineInfo: the engine has not been started. Await ready() first.");
  return info;
}

async function choose(wanted?: string): Promise<EngineInfo> {
  registerGradients();
  const names = candidates.map(({ name }) => name);
  if (wanted && !names.includes(wanted)) {
    throw new MoeError("unknown-backend", `ready: back end "${wanted}" (option backend or MOELAB_BACKEND) is not known. ${suggest(wanted, names)}`);
  }
  const refused: Refusal[] = [];
  for (const candidate of candidates.filter(({ name }) => !wanted || name === wanted)) {
    const outcome = await candidate.start().catch((error: Error) => ({ reason: error.message, cure: "Reinstall the package, or remove it." }));
    if (!("reason" in outcome)) return (info = { ...outcome, name: candidate.name, refused });
    refused.push({ name: candidate.name, ...outcome });
  }
  const last = refused[refused.length - 1];
  throw new MoeError("backend-refused", `ready: back end "${last.name}" cannot be used: ${last.reason}. ${last.cure}`);
}
