import type { Candidate } from "./candidate.js";
import { cpu } from "./cpu.js";
import { tfjsNode, tfjsNodeGpu } from "./tfjs-node.js";
import { torch } from "./torch.js";
import { wasm } from "./wasm.js";
import { webgpu } from "./webgpu.js";

/** In the order in which they are tried. */
export const candidates: Candidate[] = [tfjsNodeGpu, torch, tfjsNode, webgpu, wasm, cpu];
