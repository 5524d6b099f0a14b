// Builds dist/: the SDK as an ES module and as CommonJS with source maps (esbuild), its types (tsc), and the command
// line.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const common = { bundle: true, platform: "node", target: "node20", packages: "external", external: ["#*"],
  sourcemap: true, logLevel: "warning" };
// CommonJS has no import.meta.url; sources that find files next to the package use it
const cjs = { define: { "import.meta.url": "__moelab_url" },
  banner: { js: "const __moelab_url = require(\"node:url\").pathToFileURL(__filename).href;" } };

rmSync("dist/cli", { recursive: true, force: true });
// tfjs-core has its gradients and the methods of tensors (x.add(y)) only as files that Node cannot load as they are
await build({
  stdin: { resolveDir: ".", contents: `import "@tensorflow/tfjs-core";
    import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
    import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";` },
  bundle: true,
  minify: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  plugins: [{ name: "core-itself",
    setup: ({ onResolve }) =>
      onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, ({ path }) => ({ path, external: true })) }],
  outfile: "dist/tfjs-side-effects.cjs",
  logLevel: "warning",
});
await Promise.all([
  build({ ...common, entryPoints: ["sdk/index.ts"], format: "esm", outfile: "dist/index.js" }),
  build({ ...common, ...cjs, entryPoints: ["sdk/index.ts"], format: "cjs", outfile: "dist/index.cjs" }),
  build({ ...common, entryPoints: ["sdk/checkpoint/count-shards-worker.ts"], format: "esm", outdir: "dist" }),
  // in chunks: in one bundle the imports of all subcommands would be loaded for each of them
  build({ ...common, entryPoints: { cli: "sdk/cli/main.ts" }, format: "esm", splitting: true, outdir: "dist",
    chunkNames: "cli/[name]-[hash]", banner: { js: "#!/usr/bin/env node" } }),
  ...(existsSync("kernels/moelab/build.mjs")
    ? [import("./kernels/moelab/build.mjs").then((kernel) => kernel.default())]
    : []),
]);
if (!process.argv.includes("--no-types")) {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
  if (existsSync("kernels/moelab/build.mjs")) (await import("./kernels/moelab/build.mjs")).buildKernelTypes();
}
writeFileSync("dist/.built", new Date().toISOString());
