import { spawnSync } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, delimiter, dirname, join } from "node:path";
import { MoeError } from "../../sdk/errors.js";
import { type KernelSpec, packageFolder } from "../headless/kernel-spec.js";

/**
 * How stock tslab is started with moelab on its path. tslab's own `install` needs a Python of its choosing; this needs
 * none.
 * @throws MoeError `no-tslab`
 */
export function tslabSpec(): KernelSpec {
  const home = packageFolder();
  const tslab = findTslab(home);
  if (!tslab)
    throw new MoeError("no-tslab",
      "kernel install: tslab is not installed; accepted is tslab 1.0.22 beside moelab or globally. Get it "
        + "with `npm install tslab`.");
  linkCheckout(home);
  return {
    argv: [process.execPath, "--no-warnings", join(tslab, "bin/tslab"), "kernel", "--config-path", "{connection_file}"],
    display_name: "TypeScript (tslab, with moelab)",
    language: "typescript",
    env: {
      NODE_PATH: [basename(dirname(home)) === "node_modules" ? dirname(home) : join(home, "node_modules"),
        process.env.NODE_PATH].filter(Boolean).join(delimiter),
    },
  };
}

/** tslab looks for packages in node_modules alone, and a checkout of moelab is not in one: a link puts it there. */
function linkCheckout(home: string): void {
  const link = join(home, "node_modules/moelab");
  if (basename(dirname(home)) !== "node_modules" && !existsSync(link)) symlinkSync(home, link, "junction");
}

function findTslab(home: string): string | undefined {
  for (const from of [process.cwd(), home]) {
    try {
      return dirname(createRequire(join(from, "package.json")).resolve("tslab/package.json"));
    } catch {
      // not here
    }
  }
  const { stdout = "" } = spawnSync("npm", ["root", "-g"], { encoding: "utf8", shell: process.platform === "win32" });
  const global = join(stdout.trim(), "tslab");
  return stdout && existsSync(join(global, "package.json")) ? global : undefined;
}
