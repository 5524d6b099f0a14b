import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkProfile, loadProfile, saveProfile } from "../../sdk/profile/profile-file.js";
import { starvedExperts, starvedWarning } from "../../sdk/profile/starved-experts.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";

const test = suite("profile files");
let folder: string;
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "moelab-profile-"));
});
test.after(() => rm(folder, { recursive: true }));

test("a profile comes back as it was, and no temporary file is left", async () => {
  const profile = await nanoProfile(nanoMoe());
  await saveProfile(join(folder, "p.json"), profile);
  assert.equal(await loadProfile(join(folder, "p.json")), profile);
  assert.equal(await readdir(folder), ["p.json"]);
});

for (const [what, text] of [["no JSON", "{"], ["no profile", "[]"], ["negative counts", "{\"version\":1}"], [
  "another version",
  "{\"version\":2}",
]]) {
  test(`refused: ${what}`, async () => {
    await writeFile(join(folder, "bad.json"), text);
    try {
      await loadProfile(join(folder, "bad.json"));
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code: string }).code, "bad-profile");
    }
  });
}

test("counts that do not fit the number of experts are refused", async () => {
  const profile = await nanoProfile(nanoMoe());
  profile.layers["layers.0"].counts.pop();
  await writeFile(join(folder, "short.json"), JSON.stringify(profile));
  try {
    await loadProfile(join(folder, "short.json"));
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /layers\.0 has 4 experts and 3 counts/);
  }
});

test("a profile of another model is refused", async () => {
  const [model, other] = [nanoMoe(), nanoMoe({ seed: 2 })];
  const profile = await nanoProfile(model);
  checkProfile(profile, await model.weights.fingerprint());
  const fingerprint = await other.weights.fingerprint();
  assert.throws(() => checkProfile(profile, fingerprint),
    (error: { code: string }) => error.code === "profile-of-another-model");
});

test("starved experts are listed", async () => {
  const profile = await nanoProfile(nanoMoe(), 1, () => ({ counts: [100, 7, 0, 8] }));
  assert.equal(starvedExperts(profile).filter(({ layer }) => layer === "layers.0"), [{ layer: "layers.0", expert: 1,
    tokens: 7 }, { layer: "layers.0", expert: 2, tokens: 0 }]);
  const few = { ...profile, layers: { "layers.0": profile.layers["layers.0"] } };
  for (const exact of [["usage", "routerLogits", "coactivation", "gateMass"], ["meanOutput", "similarity.output"], []])
    assert.is(starvedWarning(few, exact), undefined);
  assert.is(starvedWarning(few, ["usage", "saliency"]),
    "profile: 2 of 4 experts saw fewer than 8 tokens (layers.0: 2), too few for saliency. "
      + "Profile more { items } if that is not how the data is.");
});

test.run();
