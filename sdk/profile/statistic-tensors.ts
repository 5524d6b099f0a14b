import { existsSync } from "node:fs";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { FormatError, MoeError } from "../errors.js";
import { MemorySource } from "../model/memory-source.js";
import type { WeightSource } from "../model/weight-source.js";
import type { TensorMap } from "./observer.js";

/** between the name of a statistic and that of its weight */
const OF = "|";
const MARK = "moelab-profile";

/**
 * Writes statistics that are as large as weights, as float32.
 *
 * @param profile hash of what it was measured on
 * @throws MoeError `not-ours` for a file of something else
 */
export async function writeStatistics(
  path: string,
  statistics: Readonly<Record<string, WeightSource>>,
  profile = "",
): Promise<void> {
  if (existsSync(path) && (await markOf(path)) === undefined)
    throw new MoeError("not-ours",
      `profile: ${path} holds something else; accepted is a new file, or one that saveProfile wrote. Choose another.`);
  const all = Object.entries(statistics).flatMap(([statistic, source]) =>
    [...source.names()].map((name) => ({ name: `${statistic}${OF}${name}`, shape: source.info(name).shape,
      dtype: "F32" as const, values: () => source.values(name) })
    )
  );
  async function* data() {
    for (const { name, values } of all) {
      const { buffer, byteOffset, byteLength } = await values();
      yield { name, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
    }
  }
  await writeTensors(path, all, data(), { metadata: { [MARK]: profile } });
}

/**
 * Reads what `writeStatistics` wrote.
 *
 * @param profile hash of what they must have been measured on
 * @throws FormatError `bad-profile` where they are of another one
 */
export async function readStatistics(path: string, profile = ""): Promise<Record<string, TensorMap>> {
  const store = await openTensors(path);
  try {
    if (store.metadata[MARK] !== profile)
      throw new FormatError("bad-profile",
        `profile: ${path} holds statistics of another profile; accepted are those that saveProfile wrote beside it. `
          + "Remove that file, or profile again.");
    const statistics: Record<string, TensorMap> = {};
    for (const stored of store.names()) {
      const at = stored.lastIndexOf(OF);
      (statistics[stored.slice(0, at)] ??= new Map()).set(stored.slice(at + 1), { shape: store.info(stored).shape,
        values: await store.values(stored) });
    }
    return statistics;
  } finally {
    await store.close();
  }
}

/** Each statistic as a source of tensors by the names of weights. */
export function asSources(statistics: Record<string, TensorMap>): Record<string, WeightSource> {
  return Object.fromEntries(Object.entries(statistics).map(([name, tensors]) => [name, new MemorySource(tensors)]));
}

async function markOf(path: string): Promise<string | undefined> {
  const store = await openTensors(path).catch(() => undefined);
  await store?.close();
  return store?.metadata[MARK];
}
