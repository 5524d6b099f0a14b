import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { FormatError, MoeError } from "../errors.js";
import { writeWhole } from "../files/write-whole.js";
import type { WeightSource } from "../model/weight-source.js";
import { parseJson } from "../parse-json.js";
import { readText } from "../read-text.js";
import { checkedProfile } from "./profile-schema.js";
import type { Profile } from "./profile.js";
import { asSources, readStatistics, writeStatistics } from "./statistic-tensors.js";

/**
 * Largest profile file that is read: a thousand layers of a thousand experts with a dozen matrices each stay below it.
 */
const MAX_BYTES = 2 ** 31;

/**
 * Writes a profile as JSON, with a hash of itself. The file has a temporary name until it is whole. Statistics as large
 * as weights go into a .safetensors file of the same name beside it.
 *
 * @throws MoeError `bad-profile` for a number that JSON does not have
 */
export async function saveProfile(
  path: string,
  measured: Profile,
  tensors: Readonly<Record<string, WeightSource>> = {},
): Promise<void> {
  checkedProfile(measured,
    (why) => new MoeError("bad-profile", `profile: ${why} Profile other data, or another model.`));
  const text = JSON.stringify(measured);
  if (Object.keys(tensors).length > 0) await writeStatistics(besideOf(path), tensors, measuredOn(measured));
  await writeWhole(path, `${text.slice(0, -1)},"sha256":"${hashOf(text)}"}`, { verb: "profile",
    replaces: (text) => /^\s*\{\s*"version":\s*\d+,\s*"model":/.test(text) });
}

/**
 * Reads a profile that `study.saveProfile` wrote, and checks its shape, its hash, and that what it says can have been
 * measured; whether it is one of a model is checked when it is used.
 *
 * @throws FormatError `bad-profile` when it is none or was damaged; MoeError `no-such-file`
 * @example
 * const profile = await moe.loadProfile("profile.json");
 * const study = await moe.load("nano-switch").profile({ from: profile }).merge({ method: "m-smoe", keep: 0.25 });
 */
export async function loadProfile(path: string): Promise<Profile> {
  const refuse = (why: string) =>
    new FormatError("bad-profile",
      `profile: ${path} is no profile: ${why} Accepted is a file that saveProfile wrote. Profile again.`);
  const text = await readText(path, { verb: "profile", accepted: "a file that saveProfile wrote", maxBytes: MAX_BYTES,
    code: "bad-profile" });
  if (text === undefined)
    throw new MoeError("no-such-file",
      `profile: ${path} cannot be read (ENOENT); accepted is a file that saveProfile wrote. Check the path.`);
  let json: unknown, isWhole: boolean;
  try {
    json = parseJson(text);
    const { sha256, ...rest } = json as { sha256?: unknown };
    isWhole = sha256 === undefined || sha256 === hashOf(JSON.stringify(rest)); // fails where it is nested too deeply
  } catch (error) {
    throw refuse(`it cannot be read as JSON (${(error as Error).message}).`);
  }
  const found = checkedProfile(json, refuse);
  if (!isWhole)
    throw refuse("it was changed after it was written, its numbers are not those of its hash.");
  return found;
}

/**
 * The statistics as large as weights that stand beside a profile in a file; none where they were not kept.
 *
 * @throws FormatError `bad-profile` where they are of another profile
 */
export async function statisticsBeside(path: string, measured: Profile): Promise<Record<string, WeightSource>> {
  const file = besideOf(path);
  return existsSync(file) ? asSources(await readStatistics(file, measuredOn(measured))) : {};
}

/** what its numbers follow from */
function measuredOn({ model, data }: Profile): string {
  return hashOf(JSON.stringify([model.fingerprint, data.fingerprint]));
}

function besideOf(path: string): string {
  return `${path.replace(/\.json$/, "")}.safetensors`;
}

/**
 * A profile that was measured before, for the model with this fingerprint.
 *
 * @param from its file, or the profile
 * @throws MoeError `bad-profile`, `profile-of-another-model`, `no-such-file`
 */
export async function givenProfile(from: string | Profile, fingerprint: string): Promise<Profile> {
  const found = typeof from === "string"
    ? await loadProfile(from)
    : checkedProfile(from, (why) =>
      new MoeError("bad-profile",
        `profile: { from } is no profile: ${why} Give a study's profile, or the path of one.`));
  checkProfile(found, fingerprint);
  return found;
}

/**
 * Refuses a profile that was measured on other weights.
 *
 * @throws MoeError `profile-of-another-model`
 */
export function checkProfile(measured: Profile, fingerprint: string): void {
  if (measured.model.fingerprint === fingerprint) return;
  throw new MoeError("profile-of-another-model",
    `profile: it was measured on ${measured.model.id} (${measured.model.fingerprint.slice(0, 12)}…), `
      + `this model is ${fingerprint.slice(0, 12)}…; accepted is a profile of these very weights. Profile `
      + "this model.");
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
