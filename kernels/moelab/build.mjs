// Builds dist/kernel/: one bundle for each thread of the kernel, one for Node's module loader, and the script of notebook pages.
import { build } from "esbuild";

export default async function buildKernel() {
  const page = build({
    entryPoints: ["kernels/headless/page/live-charts.ts"],
    outfile: "dist/kernel/live-charts.js",
    bundle: true,
    minify: true,
    platform: "browser",
    target: "es2022",
    format: "iife",
    logLevel: "warning",
  });
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
  await page;
}
