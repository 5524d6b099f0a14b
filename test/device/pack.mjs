// Packs what a machine without network needs beside the sources and dist/: out/device.tar.xz with this Node and the
// packages that the engine's tests, the specs and the benchmark import. usage: node test/device/pack.mjs
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, install } from "../../setup.mjs";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
install();
await build();
const roots = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu", "@tensorflow/tfjs-backend-wasm",
  "node-api-headers", "commander", "fastest-levenshtein", "ml-matrix", "valibot", "tsx", "esbuild", "uvu", "fast-check",
  "jasmine"];
const { packages } = JSON.parse(readFileSync("node_modules/.package-lock.json", "utf8"));

/** Where Node finds a package from inside another one's folder. */
function found(name, from) {
  for (let folder = from;; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    const path = folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`;
    if (packages[path]) return path;
    if (!folder) return undefined; // an optional one, for another platform
  }
}
const folders = new Set();
const waiting = roots.map((name) => found(name, ""));
for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
  if (folders.has(folder)) continue;
  folders.add(folder);
  const { dependencies, optionalDependencies } = packages[folder];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const path = found(name, folder);
    if (path) waiting.push(path);
  }
}
mkdirSync("out/device", { recursive: true });
copyFileSync(process.execPath, join("out", "device", "node"));
// a nested package lies in the folder of the one that needs it, which is packed already
const whole = [...folders].filter((folder) => !folders.has(folder.slice(0, folder.lastIndexOf("/node_modules/"))));
execFileSync("tar", ["-cJf", "out/device.tar.xz", "--exclude=*.map", "--exclude=*.d.ts", "--exclude=*/tfjs-*/src",
  "out/device/node", ...whole], { stdio: "inherit", env: { ...process.env, XZ_OPT: "-3 -T0" } });
console.log(`out/device.tar.xz: ${(statSync("out/device.tar.xz").size / 1e6).toFixed(0)} MB, ${folders.size} packages`);
