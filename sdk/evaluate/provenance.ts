import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { packageFile } from "../package-file.js";
import { engineInfo } from "../tensor/index.js";

export interface ProvenanceInput {
  /** a model that was scored, or its id and fingerprint */
  model: { id: string; fingerprint: string; revision?: string };
  /** fingerprint of the items */
  data?: string;
  seed?: number;
  /** options of the run, to repeat it */
  options?: Record<string, unknown>;
  /** the command that repeats it */
  command?: string;
}

/** What a number needs beside it to be believed and repeated. */
export interface Provenance {
  /** what was run, under the names of lm-evaluation-harness */
  config: { model: string; model_args: Record<string, unknown>; random_seed: number | null; limit: null;
    [option: string]: unknown };
  /** seconds since 1970 */
  date: number;
  moelab: { version: string; backend: string; device: string; engine: string;
    fingerprints: { model: string; data?: string }; machine: string; node: string; command?: string };
  [field: string]: unknown;
}

/** Collects date, machine, back end, version, seed and fingerprints; the engine must be ready. */
export function provenance({ model, data, seed, options = {}, command }: ProvenanceInput): Provenance {
  const { name, backend, device, version } = engineInfo();
  const processors = cpus();
  return {
    config: { model: model.id, model_args: { ...(model.revision && { revision: model.revision }) },
      random_seed: seed ?? null, limit: null, ...options },
    date: Date.now() / 1000,
    moelab: {
      version: (JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string }).version,
      backend,
      device,
      engine: `${name} ${version}`,
      fingerprints: { model: model.fingerprint, ...(data && { data }) },
      machine: `${processors.length} x ${processors[0]?.model.trim() ?? process.arch}, `
        + `${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
      node: process.version,
      ...(command && { command }),
    },
  };
}
