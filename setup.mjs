// Makes a fresh clone ready: installs packages if they are absent or older than the lock file, and builds if a source
// is newer than the build.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const time = (path) => (existsSync(join(root, path)) ? statSync(join(root, path)).mtimeMs : 0);

export function install() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19) || major > 24) {
    console.error(
      `setup: Node ${process.versions.node} is running; accepted is 20.19 to 24. Install one of these, `
        + "then run the command again.",
    );
    process.exit(1);
  }
  if (time("node_modules/.package-lock.json") >= time("package-lock.json")) return;
  console.log("setup: installing packages (npm ci) …");
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, stdio: "inherit",
    shell: process.platform === "win32" });
}

export async function build() {
  const newest = Math.max(
    ...["sdk", "kernels", "data/studies"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).filter((name) => /\.(ts|mjs|cjs)$/.test(name)).map((name) =>
        time(join(folder, name))
      )
    ),
    time("build.mjs"),
  );
  if (time("dist/.built") >= newest) return;
  console.log("setup: building …");
  execFileSync(process.execPath, [join(root, "build.mjs")], { cwd: root, stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  install();
  await build();
}
