import type { Candidate } from "./candidate.js";

export const tfjsNodeGpu: Candidate = { name: "tensorflow-gpu", start: async () => ({ reason: "not installed", cure: "" }) };
export const tfjsNode: Candidate = { name: "tensorflow", start: async () => ({ reason: "not installed", cure: "" }) };
