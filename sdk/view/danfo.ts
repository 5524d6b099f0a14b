import { createRequire } from "node:module";
import { join } from "node:path";
import { MoeError } from "../errors.js";

/**
 * Gives rows to danfo.js as a DataFrame. danfojs-node is an optional peer: the project installs it, or not;
 * it is looked for beside moelab and then from the working directory.
 *
 * @throws MoeError `danfo-missing`, which names the overrides that danfojs-node 1.2.0 needs to install
 */
export async function toDanfo(
  rows: readonly Readonly<Record<string, unknown>>[],
  keys: readonly string[],
): Promise<unknown> {
  const { DataFrame } = await danfo();
  return new DataFrame(rows.map((row) => keys.map((key) => row[key] ?? null)), { columns: [...keys] });
}

interface Danfo {
  DataFrame: new(data: unknown[][], options: { columns: string[] }) => unknown;
}

async function danfo(): Promise<Danfo> {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    const require = createRequire(from);
    try {
      require.resolve(NAME);
    } catch {
      continue;
    }
    return require(NAME) as Danfo;
  }
  throw new MoeError("danfo-missing",
    `toDanfo: ${NAME} is not installed; it is optional, and moelab does without it. Add to your project's package.json
  "overrides": { "danfojs-node": { "xlsx": "0.18.5", "@tensorflow/tfjs-node": "npm:@tensorflow/tfjs@4.22.0" } }
then run: npm install danfojs-node@1.2.0`);
}

const NAME = "danfojs-node";
