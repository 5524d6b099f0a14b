import { freemem } from "node:os";
import { bytesFrom } from "../checkpoint/bytes-from.js";
import type { Model } from "../model/model.js";

export interface MemoryOptions {
  /**
   * bytes that the models of a study may take together from here on, weights and activations: a number or a text like
   * "2GiB". What is larger is read in pieces: of a layer beyond half of it the experts one group after the other, and
   * activations beyond a quarter of it wait in a file. Default when a model is loaded: half of the memory that is free
   */
  memory?: number | string;
}

/** @throws MoeError `bad-memory` */
export function limitMemory(model: Model, { memory }: MemoryOptions): void {
  if (memory !== undefined) model.memory.bytes = bytesFrom(memory);
}

/** Half of what is free, also where the process may take less than the machine has. */
export function defaultMemory(): number {
  return Math.floor((process.availableMemory?.() ?? freemem()) / 2);
}
