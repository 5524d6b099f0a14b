import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MoeError } from "../errors.js";
import { packageFile } from "../package-file.js";
import { chainExperiment } from "./chain-experiment.js";
import type { Experiment } from "./experiment.js";
import type { FoundStudy } from "./study-file.js";

/**
 * What a study runs: the arms of its recipe, or the `experiment` of the code beside it, as it was built
 * (`dist/studies/SLUG.js`).
 *
 * @throws MoeError `not-built`
 */
export async function findExperiment({ name, path, file }: FoundStudy): Promise<Experiment> {
  if (file.arms) return chainExperiment(name, file, { models: workFolder("models") }) as unknown as Experiment;
  const built = packageFile(`dist/studies/${name}.js`);
  if (!existsSync(join(dirname(resolve(path)), "experiment.ts")) && !existsSync(built))
    throw new MoeError("no-arms", `study: ${path} names no arms; accepted is a recipe with arms and units.`);
  if (!existsSync(built))
    throw new MoeError("not-built", `study: ${name} is code, and ${built} is not there. Run: npm run build`);
  return ((await import(pathToFileURL(built).href)) as { experiment: Experiment }).experiment;
}

/** Where models and locks of studies lie: in out/ of the clone, or of the working folder where moelab is installed. */
export function workFolder(name: string): string {
  return existsSync(packageFile("sdk")) ? packageFile(`out/studies/${name}`) : resolve(`out/studies/${name}`);
}
