// Builds dist/kernel/: one bundle for each thread of the kernel, and for Node's module loader.
import { build } from "esbuild";

export default async function buildKernel() {
  await build({
    entryPoints: {
      main: "kernels/moelab/main.ts",
      server: "kernels/moelab/server/thread.ts",
      language: "kernels/moelab/language/thread.ts",
      "module-hooks": "kernels/moelab/runner/module-hooks.ts",
    },
    outdir: "dist/kernel",
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
  });
}
