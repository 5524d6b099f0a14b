import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { MoeError } from "../../../errors.js";
import { packageFile } from "../../../package-file.js";

/**
 * Checks that a wheel is what it should be before anything is taken from it, as its libraries run in this process.
 *
 * @param expected the sha256 that somebody vouches for; default: that of one of PyPI's wheels of the pinned release
 *   (`data/torch-wheels.json`)
 * @throws MoeError `engine-wheel-hash`
 */
export async function checkWheel(wheel: string, expected?: string): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(wheel), hash).catch((error: Error) => {
    throw new MoeError("engine-wheel",
      `engine build: ${wheel} cannot be read: ${error.message}. Accepted is a wheel of PyTorch on this machine.`);
  });
  const seen = hash.digest("hex");
  const { torch, sha256 } = JSON.parse(readFileSync(packageFile("data/torch-wheels.json"), "utf8")) as {
    torch: string;
    sha256: Record<string, string>;
  };
  if (expected ? seen === expected.toLowerCase() : Object.values(sha256).includes(seen)) return;
  throw new MoeError("engine-wheel-hash",
    `engine build: ${wheel} has the sha256 ${seen}; accepted is ${
      expected
        ? `the one given, ${expected}`
        : `that of one of the ${Object.keys(sha256).length} wheels of torch ` + `${torch} on PyPI`
    }. If the wheel is cut off or damaged, get it again; for another one that you trust: ` + `--sha256 ${seen}`);
}
