import type { KernelSpec } from "../../../kernels/headless/kernel-spec.js";
import { moelabSpec } from "../../../kernels/headless/kernel-spec.js";

/** A kernel and the same small notebook in its language. */
export interface Peer {
  spec: KernelSpec;
  trivial(i: number): string;
  /** declares a name and uses the one before */
  declaring(i: number): string;
  /** what a notebook starts with */
  imports: string;
  /** code whose end is completed, and code whose end is explained */
  complete: string[];
  inspect: string[];
  /** cells of the long notebook; default 500 */
  cells?: number;
}

export interface PeerPaths {
  python?: string;
  tslab?: string;
  deno?: string;
}

const typescript = {
  trivial: (i: number) => `1 + ${i}`,
  declaring: (i: number) => `const x${i} = ${i}${i ? ` + x${i - 1} * 0` : ""}; x${i}`,
  imports: "import * as fs from \"node:fs\"; import * as path from \"node:path\"; const losses = [3, 2, 1]",
  complete: ["x9", "losses.", "fs.read", "path.", "losses.map((loss) => loss.to"],
  inspect: ["x99", "losses.map", "fs.readFileSync", "path.join("],
};

/** moelab's kernel and those that are there to be compared with. */
export function peers({ python, tslab, deno }: PeerPaths): Record<string, Peer> {
  const spec = (display_name: string, argv: string[], language = "typescript"): KernelSpec => ({ argv, display_name,
    language });
  return {
    moelab: {
      ...typescript,
      spec: moelabSpec(),
      imports: `${typescript.imports}; import { moe } from "moelab"; const study = moe.load("nano-switch")`,
      complete: [...typescript.complete, "moe.", "study.", "study.mer", "study.merge({ me", "study.merge({ method: \""],
      inspect: [...typescript.inspect, "moe.load", "study.profile", "study.merge("],
    },
    ...(python && {
      ipykernel: {
        spec: spec("Python", [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "python"),
        trivial: typescript.trivial,
        declaring: (i) => `x${i} = ${i}${i ? ` + x${i - 1} * 0` : ""}\nx${i}`,
        imports: "import os, json\nlosses = [3, 2, 1]",
        complete: ["x9", "losses.", "os.rea", "json."],
        inspect: ["x99", "losses.append", "os.path.join", "json.dumps("],
      },
    }),
    // tslab 1.0.22 stopped answering after some 150 cells; it finds Node's types only where a notebook has them
    // installed
    ...(tslab && {
      tslab: {
        ...typescript,
        cells: 20,
        imports: "const losses = [3, 2, 1]",
        complete: ["x9", "losses.", "losses.map((loss) => loss.to"],
        inspect: ["x99", "losses.map"],
        spec: spec("tslab", [process.execPath, "--no-warnings", tslab, "kernel", "--config-path", "{connection_file}"]),
      },
    }),
    ...(deno
      && { deno: { ...typescript, spec: spec("Deno", [deno, "jupyter", "--kernel", "--conn", "{connection_file}"]) } }),
  };
}
