import { existsSync } from "node:fs";
import os from "node:os";
import { listKernels } from "../../kernels/moelab/install.js";
import { hubEnvironment } from "../checkpoint/hub/hub-environment.js";
import { candidates } from "../tensor/backends/candidates.js";
import { type EngineInfo, ready } from "../tensor/index.js";
import { measureSpeed, type Speed } from "../tensor/measure-speed.js";
import { engineFolders, findEngine } from "../tensor/torch/engine-folder.js";
import { DISPLAY, Displayed, type MimeBundle } from "../view/displayable.js";
import { html } from "../view/html.js";

/** What `moelab doctor --json` prints. */
export interface Findings {
  node: { version: string; accepted: boolean };
  machine: { platform: string; processor: string; cores: number; memoryBytes: number; freeBytes: number;
    residentBytes: number };
  engine: EngineInfo;
  backends: { name: string; state: "in use" | "refused" | "not tried"; reason?: string; cure?: string }[];
  speed: Speed;
  /** folders; `there` says whether they exist */
  caches: { what: string; folder: string; there: boolean }[];
  kernels: { name: string; folder: string; problem?: string }[];
  /** what to do, most useful first; empty when nothing is to be done */
  next: string[];
}

/** Looks at what moelab runs on. Starts the engine if it has not been started. */
export async function diagnose(): Promise<Diagnosis> {
  const engine = await ready();
  const [major, minor] = process.versions.node.split(".").map(Number);
  const findings: Omit<Findings, "next"> = {
    node: { version: process.versions.node, accepted: major > 20 ? major < 25 : major === 20 && minor >= 19 },
    machine: {
      platform: `${process.platform}-${process.arch}`,
      processor: os.cpus()[0]?.model ?? "unknown",
      cores: os.availableParallelism(),
      memoryBytes: os.totalmem(),
      freeBytes: os.freemem(),
      residentBytes: process.memoryUsage().rss,
    },
    engine,
    backends: candidates.map(({ name }) => {
      if (name === engine.name) return { name, state: "in use" };
      const refusal = engine.refused.find((one) => one.name === name);
      return refusal ? { state: "refused", ...refusal } : { name, state: "not tried" };
    }),
    speed: await measureSpeed(),
    caches: [{ what: "Hugging Face models", folder: hubEnvironment().cache }, { what: "native engine",
      folder: findEngine()?.folder ?? engineFolders()[0] }].map((cache) => ({ ...cache,
        there: existsSync(cache.folder) })
      ),
    kernels: listKernels().map(({ name, folder, state }) => ({ name, folder, ...(state && { problem: state }) })),
  };
  return new Diagnosis({ ...findings, next: advice(findings) });
}

function advice({ node, engine, kernels, machine }: Omit<Findings, "next">): string[] {
  const next: string[] = [];
  if (!node.accepted) next.push(`Node ${node.version} is running; 20.19 to 24 are tested. Install one of these.`);
  const forced = process.env.MOELAB_BACKEND;
  if (forced) next.push(`MOELAB_BACKEND is ${forced}: no other back end is looked at. Unset it to get the fastest.`);
  if (engine.name === "torch" && engine.device === "gpu")
    next.push(
      "The native engine computes on the GPU, where no run has been recorded yet: compare a result with "
        + "MOELAB_DEVICE=cpu, and tell us.",
    );
  // the GPU packages are for those who have a GPU; the native engine is for everybody
  const torch = engine.refused.find(({ name }) => name === "torch");
  if (torch)
    next.push(
      `The native engine is not in use (${torch.reason}); it computes 10 to 40 times faster than `
        + `WebAssembly. ${torch.cure}`,
    );
  if (engine.device === "cpu" && existsSync("/proc/driver/nvidia/version"))
    next.push(
      "There is an NVIDIA GPU, and nothing uses it. Build the native engine for it (npx moelab engine "
        + "build --cuda), or npm install @tensorflow/tfjs-node-gpu, which moelab takes first where it sees the "
        + "GPU. Neither has been tested on one.",
    );
  for (const broken of engine.refused.filter(({ name, reason }) => name !== "torch" && !/not installed/.test(reason)))
    next.push(`${broken.name}: ${broken.reason}. ${broken.cure}`);
  if (kernels.length === 0) next.push("No notebook kernel is installed: npx moelab kernel install");
  for (const { name, problem } of kernels)
    if (problem) next.push(`Kernel ${name}: ${problem} (npx moelab kernel install).`);
  if (machine.freeBytes < 2 ** 30)
    next.push(
      `Only ${gigabytes(machine.freeBytes)} of memory are free. Close what is not needed before a large `
        + "model is loaded.",
    );
  return next;
}

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** The findings, shown as text in a terminal and as a table in a notebook. */
export class Diagnosis extends Displayed {
  constructor(readonly findings: Findings) {
    super();
  }

  toJSON(): Findings {
    return this.findings;
  }

  /** sections of lines, each a label and what was found */
  private sections(): [title: string, lines: [label: string, found: string][]][] {
    const { node, machine, engine, backends, speed, caches, kernels, next } = this.findings;
    return [["engine", [["in use",
      `${engine.name} ${engine.version} on the ${engine.device === "gpu" ? "GPU" : "processor"}`], ["fused operations",
      engine.fused.join(", ") || "none"], ["matrix product", `${speed.productGflops.toFixed(1)} GF/s`], ["memory copy",
      `${speed.memoryGBPerSecond.toFixed(1)} GB/s`], ["tiny operation", `${speed.tinyOperationUs.toFixed(1)} us`]]], [
      "back ends, in the order in which they are tried",
      backends.map(({ name, state, reason, cure }) => [name, reason ? `${state}: ${reason}. ${cure}` : state]),
    ], ["machine", [["Node", `${node.version}${node.accepted ? "" : " (not accepted)"}`], ["processor",
      `${machine.processor}, ${machine.cores} cores, ${machine.platform}`], ["memory",
      `${gigabytes(machine.freeBytes)} of ${gigabytes(machine.memoryBytes)} free; this process has `
      + `${gigabytes(machine.residentBytes)}`]]], ["caches",
      caches.map(({ what, folder, there }) => [what, `${folder}${there ? "" : " (not there yet)"}`])], [
      "notebook kernels",
      kernels.length > 0
        ? kernels.map(({ name, folder, problem }) => [name, `${folder}${problem ? ` (${problem})` : ""}`])
        : [["none", ""]],
    ], ["what to do next",
      next.length > 0 ? next.map((step, i) => [`${i + 1}.`, step]) : [["nothing", "all is well"]]]];
  }

  toText(): string {
    return this.sections().map(([title, lines]) => {
      const width = Math.max(...lines.map(([label]) => label.length));
      return [title, ...lines.map(([label, found]) => `  ${label.padEnd(width)}  ${found}`.trimEnd())].join("\n");
    }).join("\n\n");
  }

  [DISPLAY](): MimeBundle {
    const markup = html`<table>${
      this.sections().map(([title, lines]) =>
        html`<tbody><tr><th colspan="2" style="text-align:left">${title}</th></tr>${
          lines.map(([label, found]) =>
            html`<tr><td style="text-align:left">${label}</td><td style="text-align:left">${found}</td></tr>`
          )
        }</tbody>`
      )
    }</table>`;
    return { data: { "text/html": String(markup), "text/plain": this.toText() } };
  }
}
