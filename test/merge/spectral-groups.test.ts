import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mSmoe } from "../../sdk/merge/m-smoe.js";
import { spectralGroups } from "../../sdk/merge/spectral-groups.js";
import { planWith } from "../../sdk/methods.js";
import { usage } from "../../sdk/profile/profile.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { nanoMoe, nanoProfile } from "../support/nano-moe.js";

const test = suite("spectral groups");
await ready();

/** experts of one of three kinds, alike to some 0.8 within a kind and 0.3 across */
function planted(kinds: number[], noise: number): number[][] {
  const rng = new Rng("spectral");
  const rows = kinds.map(() => new Array<number>(kinds.length).fill(1));
  for (let i = 0; i < kinds.length; i++)
    for (let j = 0; j < i; j++)
      rows[i][j] = rows[j][i] = (kinds[i] === kinds[j] ? 0.8 : 0.3) + noise * (rng.next() - 0.5);
  return rows;
}

test("finds kinds of experts, whatever their order and number", () => {
  for (const kinds of [[0, 0, 1, 1, 2, 2], [0, 1, 2, 2, 1, 0, 0], [0, 1, 1, 1, 1, 1, 1, 2]])
    assert.equal(spectralGroups(planted(kinds, 0.2), 3), kinds);
});

test("scikit-learn's labels", () => {
  const cases = JSON.parse(readFileSync(new URL("spectral-groups.sklearn.json", import.meta.url), "utf8")).cases as {
    similarity: number[][];
    count: number;
    labels: number[];
  }[];
  assert.ok(cases.length >= 40);
  for (const { similarity, count, labels } of cases) {
    const seen = [...new Set(labels)];
    assert.equal(spectralGroups(similarity, count), labels.map((label) => seen.indexOf(label)),
      `${similarity.length} experts, ${count} groups`);
  }
});

test("one group, as many as experts, experts that resemble nobody", () => {
  const rows = planted([0, 1, 2], 0.2);
  assert.equal(spectralGroups(rows, 1), [0, 0, 0]);
  assert.equal(spectralGroups(rows, 3), [0, 1, 2]);
  assert.equal(new Set(spectralGroups([[1, 0, 0], [0, 1, 0.5], [0, 0.5, 1]], 2)).size, 2);
});

test("m-smoe merges by them: as many groups as leaders, each led by its most used member", async () => {
  const profile = await nanoProfile(nanoMoe({ layers: 2, experts: 8 }));
  const [leaders, spectral] = await Promise.all(
    (["leaders", "spectral"] as const).map((grouping) =>
      planWith(mSmoe, profile, { keep: 0.5, grouping, exclude: [] })
    ),
  );
  for (const [id, { slots, expertOf }] of Object.entries(spectral.layers)) {
    assert.ok(slots!.length <= leaders.layers[id].slots!.length);
    const shares = usage(profile.layers[id]);
    slots!.forEach(({ from }, group) => {
      const members = shares.flatMap((_, expert) => (expertOf![expert] === group ? [expert] : []));
      assert.equal(from.map(({ expert }) => expert!).sort((a, b) => a - b), members);
      assert.is(shares[from[0].expert!], Math.max(...members.map((expert) => shares[expert])));
    });
  }
  assert.not.equal(spectral.layers, leaders.layers);
  await planWith(mSmoe, profile, { keep: 0.5, grouping: "spectral", capacity: 4 }).then(() => assert.unreachable(),
    ({ message }) => assert.match(message, /grouping "spectral" with capacity/));
});

test.run();
