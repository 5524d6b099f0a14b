// Builds dist/kernel/: one bundle for each thread of the kernel, one for Node's module loader, the script of notebook
// pages,
// and the types that cells are checked against.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { rollUp } from "./types/roll-up.mjs";

const TYPES = "dist/kernel/types";
const NODE_TYPES = createRequire(import.meta.url).resolve("@types/node/index.d.ts");
const OPTIONS = {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  customConditions: ["node"],
  target: ts.ScriptTarget.ES2024,
  lib: ["lib.es2023.d.ts"],
  types: ["node"],
  typeRoots: [dirname(dirname(NODE_TYPES))],
  skipLibCheck: true,
  esModuleInterop: true,
};

export default async function buildKernel() {
  const page = build({
    entryPoints: ["kernels/headless/page/live-charts.ts"],
    outfile: "dist/kernel/live-charts.js",
    bundle: true,
    minify: true,
    platform: "browser",
    target: "es2022",
    format: "iife",
    metafile: true,
    logLevel: "warning",
  });
  const common = { bundle: true, platform: "node", target: "node20", packages: "external", external: ["#*"],
    metafile: true, sourcemap: true, logLevel: "warning" };
  // a cell that sets one of these to something else does not take it from the kernel
  const globals =
    "const { Array, Atomics, Buffer, Error, JSON, Map, Math, Number, Object, Promise, Proxy, Reflect, RegExp, "
    + "Set, SharedArrayBuffer, String, Symbol, SyntaxError, URL, WeakMap, WeakSet, performance, process } = globalThis;";
  const threads = build({
    ...common,
    banner: { js: globals },
    entryPoints: {
      main: "kernels/moelab/main.ts",
      server: "kernels/moelab/server/thread.ts",
      "module-hooks": "kernels/moelab/runner/module-hooks.ts",
    },
    outdir: "dist/kernel",
    format: "esm",
  });
  // Node writes snapshots of scripts alone
  const language = build({
    ...common,
    entryPoints: ["kernels/moelab/language/thread.ts"],
    outfile: "dist/kernel/language.cjs",
    format: "iife",
    alias: { typescript: "./kernels/moelab/language/typescript.ts" },
  });
  if (!existsSync(`${TYPES}/web.d.ts`)) buildNodeTypes(); // a build without types still has these
  return Promise.all([page, threads, language]);
}

/** Writes the types of Node and of moelab, each as one file; moelab's must have been built. */
export function buildKernelTypes() {
  buildNodeTypes();
  const isNode = ({ fileName }) => /\/node_modules\/(@types\/node|undici-types)\//.test(fileName);
  write("moelab", rollUp([resolve("dist/types/sdk/index.d.ts")], OPTIONS, isNode));
  // so that the first kernel is as fast as any; where that fails, kernels start without
  spawnSync(process.execPath, ["dist/kernel/language.cjs", "prepare"], { stdio: "inherit" });
}

function buildNodeTypes() {
  write("node", rollUp([NODE_TYPES], OPTIONS));
  write("web", { text: webTypes() });
}

/** Globals of Node whose types only the browser's library has, or which have a type but no value. */
function webTypes() {
  const browser = readFileSync(join(dirname(ts.getDefaultLibFilePath({})), "lib.dom.d.ts"), "utf8");
  const [webAssembly] = /^declare namespace WebAssembly \{$[\s\S]*?^\}$/m.exec(browser);
  const classes = { Performance: "import(\"node:perf_hooks\").Performance",
    Crypto: "import(\"node:crypto\").webcrypto.Crypto", CryptoKey: "import(\"node:crypto\").webcrypto.CryptoKey",
    SubtleCrypto: "import(\"node:crypto\").webcrypto.SubtleCrypto" };
  const declared = Object.entries(classes).map(([name, type]) =>
    `type ${name} = ${type};\ndeclare var ${name}: { prototype: ${name}; new (): ${name} };`
  );
  return [webAssembly.replace(/\bBufferSource\b/g, "(ArrayBufferView | ArrayBuffer)"), ...declared].join("\n");
}

function write(name, { text, ...index }) {
  mkdirSync(TYPES, { recursive: true });
  writeFileSync(`${TYPES}/${name}.d.ts`, text);
  writeFileSync(`${TYPES}/${name}.json`, JSON.stringify(index));
}
