// Builds dist/: the SDK as an ES module and as CommonJS with source maps (esbuild), its types (tsc), and the command
// line.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
// What package.json has under dependencies is installed with moelab; libraries under devDependencies that sources import
// are part of the bundles, which saves those who install moelab some 150 packages.
const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const external = ["#*", ...Object.keys(dependencies).flatMap((name) => [name, `${name}/*`])];
const common = { bundle: true, platform: "node", target: "node20", external, sourcemap: true, metafile: true,
  logLevel: "warning" };
// CommonJS has no import.meta.url; sources that find files next to the package use it
const cjs = { define: { "import.meta.url": "__moelab_url" },
  banner: { js: "const __moelab_url = require(\"node:url\").pathToFileURL(__filename).href;" } };
// and an ES module no require, by which bundled CommonJS asks for Node's modules
const esm = "import { createRequire as __moelabRequire } from \"node:module\";"
  + " const require = __moelabRequire(import.meta.url);";

// studies whose models are made by code: they share the chunks of the command that runs them
const studies = Object.fromEntries(
  readdirSync("data/studies").filter((name) => existsSync(`data/studies/${name}/experiment.ts`)).map(
    (name) => [`studies/${name}`, `data/studies/${name}/experiment.ts`]
  ),
);
rmSync("dist/cli", { recursive: true, force: true });
// tfjs-core has its gradients and the methods of tensors (x.add(y)) only as files that Node cannot load as they are
const sideEffects = build({
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
  metafile: true,
  logLevel: "warning",
});
const built = await Promise.all([
  sideEffects,
  build({ ...common, entryPoints: ["sdk/index.ts"], format: "esm", outfile: "dist/index.js", banner: { js: esm } }),
  build({ ...common, ...cjs, entryPoints: ["sdk/index.ts"], format: "cjs", outfile: "dist/index.cjs" }),
  build({ ...common, entryPoints: ["sdk/checkpoint/count-shards-worker.ts"], format: "esm", outdir: "dist" }),
  // in chunks: in one bundle the imports of all subcommands would be loaded for each of them
  build({ ...common, entryPoints: { cli: "sdk/cli/main.ts", ...studies }, format: "esm", splitting: true,
    outdir: "dist", chunkNames: "cli/[name]-[hash]", banner: { js: `#!/usr/bin/env node\n${esm}` } }),
  ...(existsSync("kernels/moelab/build.mjs")
    ? [import("./kernels/moelab/build.mjs").then((kernel) => kernel.default())]
    : []),
]);
if (!process.argv.includes("--no-types")) {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
  documentOptions("dist/types/sdk");
  if (existsSync("kernels/moelab/build.mjs")) (await import("./kernels/moelab/build.mjs")).buildKernelTypes();
  // tfjs-core's own types name these; a project whose tsconfig leaves them out compiles all the same
  const types = "dist/types/sdk/index.d.ts";
  const needed = ["types=\"node\"", "types=\"long\"", "lib=\"dom\""].map((what) => `/// <reference ${what} />\n`);
  writeFileSync(types, needed.join("") + readFileSync(types, "utf8"));
}
writeFileSync("dist/licences.txt", licences(built.flat().flatMap(({ metafile }) => Object.keys(metafile.inputs))));
writeFileSync("dist/.built", new Date().toISOString());

/** What the tables of options say about each option, as the comments that editors show. */
function documentOptions(types) {
  for (const name of readdirSync(types, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(join(types, name), "utf8");
    const documented = text.replace(/^( *)readonly \w+: \{\n *readonly about: ("(?:[^"\\]|\\.)*");/gm,
      (row, indent, about) => `${indent}/** ${JSON.parse(about).replace(/\s+/g, " ")} */\n${row}`);
    if (documented !== text) writeFileSync(join(types, name), documented);
  }
}

/** The licences of the packages that the bundles contain, as these ask for it: each text once, under those who have it. */
function licences(files) {
  const holders = new Map();
  for (const folder of new Set(files.flatMap((file) => file.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0] ?? []))) {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const text = texts.map((file) => readFileSync(`${folder}/${file}`, "utf8").trim()).join("\n\n");
    holders.set(text, [...(holders.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  return [...holders].map(([text, names]) => `${names.sort().join("\n")}\n\n${text}\n`).sort().join(
    `\n${"=".repeat(80)}\n\n`,
  );
}
