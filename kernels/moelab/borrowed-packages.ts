import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Tells whether a specifier names moelab or a package that it depends on: these can be imported from any folder.
 * @param home folder of the moelab package
 */
export function borrowedPackages(home: string): (specifier: string) => boolean {
  const { name, dependencies } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const borrowed = new Set([name, ...Object.keys(dependencies)]);
  return (specifier) => borrowed.has(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
}
