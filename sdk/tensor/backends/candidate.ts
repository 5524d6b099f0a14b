/** What computes. */
export interface EngineInfo {
  /** name of the candidate, e.g. "torch" or "wasm" */
  name: string;
  /** what tf.getBackend() says */
  backend: string;
  device: "cpu" | "gpu";
  /** of the package that computes */
  version: string;
  /** operations done in one native call, see sdk/tensor/fused.ts */
  fused: string[];
  /** better candidates that could not be had */
  refused: Refusal[];
}

export interface Refusal {
  name: string;
  reason: string;
  /** what to do about it */
  cure: string;
}

/** One thing that could compute. `start` makes it the active back end, or says why it is not. */
export interface Candidate {
  name: string;
  start(): Promise<Omit<EngineInfo, "name" | "refused"> | Omit<Refusal, "name">>;
}
