import type { StartFilling } from "../filling.js";
import type { NativeDecode } from "../formats/native-decode.js";
import type { FusedOps } from "../fused.js";
import type { NativeLinalg } from "../linalg/native.js";

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
  /** candidates before it in the order that could not be had */
  refused: Refusal[];
}

export interface Refusal {
  name: string;
  reason: string;
  /** what to do about it */
  cure: string;
}

/** What a candidate says when it has been made the active back end. */
export interface Started {
  ok: true;
  device: "cpu" | "gpu";
  version: string;
  fused?: Partial<FusedOps>;
  linalg?: Partial<NativeLinalg>;
  toFloat32?: NativeDecode;
  startFilling?: StartFilling;
}

export type NotStarted = { ok: false } & Omit<Refusal, "name">;

/** One thing that could compute. */
export interface Candidate {
  name: string;
  /**
   * Makes it the active back end of TensorFlow.js, or says why not. May throw.
   * @param asked true when it was named by the user, who then gets what is slow as well
   */
  start(asked: boolean): Promise<Started | NotStarted>;
}
