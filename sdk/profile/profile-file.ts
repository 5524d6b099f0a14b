import { readFile, stat } from "node:fs/promises";
import * as v from "valibot";
import { FormatError, MoeError } from "../errors.js";
import { writeWhole } from "../files/write-whole.js";
import { parsed } from "../parsed.js";
import type { Profile } from "./profile.js";

/**
 * Largest profile file that is read: a thousand layers of a thousand experts with a dozen matrices each stay below it.
 */
const MAX_BYTES = 2 ** 31;
const MAX_LAYERS = 4096;
const MAX_EXPERTS = 1 << 20;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const name = v.pipe(v.string(), v.maxLength(4096));
const layer = v.looseObject({
  experts: v.pipe(count, v.minValue(1), v.maxValue(MAX_EXPERTS)),
  tokens: count,
  counts: v.pipe(v.array(v.pipe(v.number(), v.finite(), v.minValue(0))), v.maxLength(MAX_EXPERTS)),
});
const profile = v.object({
  version: v.literal(1),
  model: v.object({ id: name, fingerprint: name }),
  data: v.object({ id: name, fingerprint: name, seed: v.number() }),
  tokens: v.object({ encoder: v.optional(count), decoder: count }),
  layers: v.pipe(v.record(name, layer),
    v.check((layers) => Object.keys(layers).length <= MAX_LAYERS, `at most ${MAX_LAYERS} layers are accepted`)),
  provenance: v.optional(v.record(name, v.unknown())),
});

/** Writes a profile as JSON. The file has a temporary name until it is whole. */
export async function saveProfile(path: string, measured: Profile): Promise<void> {
  await writeWhole(path, JSON.stringify(measured), { verb: "profile",
    replaces: (text) => /^\s*\{\s*"version":\s*\d+,\s*"model":/.test(text) });
}

/**
 * Reads a profile that `saveProfile` wrote.
 *
 * @throws FormatError `bad-profile` when it is none
 */
export async function loadProfile(path: string): Promise<Profile> {
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw badProfile(path, `${size} bytes; at most ${MAX_BYTES} are accepted`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch {
    throw badProfile(path, "no JSON");
  }
  const found = parsed(profile, json, (why) => badProfile(path, why.slice(0, -1))) as Profile;
  for (const [id, { experts, counts }] of Object.entries(found.layers)) {
    if (counts.length !== experts) throw badProfile(path, `${id} has ${experts} experts and ${counts.length} counts`);
  }
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

function badProfile(path: string, what: string): FormatError {
  return new FormatError("bad-profile",
    `profile: ${path} is no profile: ${what}; accepted is a file that saveProfile wrote. Profile again.`);
}
