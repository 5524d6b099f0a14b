// Test files as plain JavaScript in out/, sharing chunks: a process that starts from them needs no compiler, whose
// hooks cost
// each of the many files about as much as its tests. `import.meta.url` stays that of the source, as files are found by
// it.
import { build } from "esbuild";
import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ownUrl = {
  name: "own-url",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { contents: source.includes("import.meta.url")
        ? `const sourceUrl = ${JSON.stringify(pathToFileURL(path).href)};${source}`
        : source, loader: "ts" };
    }),
};

/**
 * Bundles `files` of `root` into a folder of this process, and answers with the path of each one's JavaScript. The
 * folder goes when the process ends.
 */
export async function bundled(root, files) {
  const outdir = join(root, `out/test-${process.pid}`);
  process.on("exit", () => rmSync(outdir, { recursive: true, force: true }));
  await build({
    absWorkingDir: root,
    entryPoints: files,
    outbase: root,
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    external: ["#*"],
    define: { "import.meta.url": "sourceUrl" },
    sourcemap: "linked",
    logLevel: "warning",
    plugins: [ownUrl],
  });
  return new Map(files.map((file) => [file, join(outdir, file.replace(/\.ts$/, ".js"))]));
}
