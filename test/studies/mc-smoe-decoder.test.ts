import { existsSync, readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { importantRows } from "../../data/studies/mc-smoe-decoder/important-rows.js";
import { allPieces, arms, armsOf, pieceName, regimes, study,
  testWindows } from "../../data/studies/mc-smoe-decoder/recipe.js";
import { batchOf, drawWindows } from "../../data/studies/mc-smoe-decoder/windows.js";
import { printedTable, readReport } from "../../sdk/evaluate/index.js";
import { claimFamilies } from "../../sdk/experiment/judge.js";
import { findStudy } from "../../sdk/experiment/study-file.js";
import { methodNamed } from "../../sdk/methods.js";
import { Model } from "../../sdk/model/model.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { packageFile } from "../../sdk/package-file.js";
import { ExpertGradients } from "../../sdk/profile/expert-gradients.js";
import { factorise } from "../../sdk/tensor/linalg/factorise.js";
import { loadTokenizer } from "../../sdk/text/tokenizer.js";
import { useBackend } from "../support/backends.js";
import { nanoMoe } from "../support/nano-moe.js";

const folder = packageFile(`data/results/${study}`);
const reports = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
const claims = [...claimFamilies(findStudy(study).file).values()].flatMap(({ claims }) => claims);

test.before(() => useBackend("wasm"));

test("every arm names a method of moelab, every claim two arms at ratios that are run", () => {
  for (const { change } of arms) if (change) assert.is(methodNamed(change.method).name, change.method);
  const run = (arm: string, keep: number) => arms.some(({ name, keep: each }) => name === arm && each.includes(keep));
  for (const { arm, against, keep, againstKeep = keep } of claims) {
    assert.ok(run(arm, keep), `${arm} at ${keep}`);
    assert.ok(run(against, againstKeep), `${against} at ${againstKeep}`);
  }
});

test("the arms of Table A9 are all there", () => {
  const own: Record<string, string> = { "Dense": "dense", "Full SMoE": "full", "Pruning": "pruning",
    "Task-Specific": "task-specific", "M-SMoE": "m-smoe", "MC-SMoE": "mc-smoe" };
  for (const [method] of printedTable("mc-smoe", "Table A9").rows)
    assert.ok(arms.some(({ name }) => name === own[method as string]), String(method));
});

test("each piece that is committed has every arm on every task, with its size and the command that " + "repeats it",
  async () => {
    assert.ok(reports.length > 0);
    for (const file of reports) {
      const piece = allPieces().find((one) => `${pieceName(one)}.json` === file);
      assert.ok(piece, `${file} is no piece of the recipe`);
      const { regime, draw } = piece!;
      const name = pieceName(piece!);
      const report = await readReport(`${folder}/${name}.json`);
      const wanted = regimes[regime].flatMap(({ domains, tasks }) =>
        armsOf(regime, draw).flatMap((arm) =>
          arm.keep.flatMap((keep) =>
            [...tasks, ...domains.map((domain) => `text_${domain}`)].map((task) => `${task} ${arm.name} ${keep}`)
          )
        )
      );
      // the dense model is trained apart, and its arm left out until it is there
      assert.equal(Object.keys(report.results).sort(), wanted.filter((key) =>
        key in report.results || !/ dense 1$/.test(key)
      ).sort(), name);
      assert.ok((report.moelab as { command: string }).command.endsWith(name));
      const size = (arm: string, keep: number) => report.configs[`pronunciation ${arm} ${keep}`].experts as number;
      // adaptive ratios keep k on average; ties at the threshold leave a few more out
      assert.ok(size("m-smoe", 8) <= size("full", 16) / 2 && size("m-smoe", 8) > 0.4 * size("full", 16), name);
      assert.is(size("redirect", 4), size("m-smoe", 4));
      for (const [key, entries] of Object.entries(report.results))
        if (/^text_\w+ full/.test(key))
          assert.is(entries["kl,none"], 0, key);
    }
  });

test("windows of two draws share no text, and are the same when drawn again", async () => {
  const tokenizer = await loadTokenizer(packageFile("data/models/nano-decoder"));
  const rows = (draw: number) =>
    drawWindows("dictionary", "test", testWindows, draw, tokenizer).map((row) => row.join(" "));
  const [one, two] = [rows(1), rows(2)];
  assert.is(one.length, testWindows);
  assert.equal(one, rows(1));
  assert.not(one.some((row) => two.includes(row)));
});

test("the rows that stay are those of the largest |s dL/ds|, over all matrices together", async () => {
  const { spec, weights } = nanoMoe({ experts: 2, gated: true, layers: 2 });
  const model = new Model("nano", spec, weights);
  const data = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]].map((row) => batchOf([row]));
  const rows = await importantRows(model, data, { rank: 2, keep: 0.25 });

  const scores: { at: string; score: number; entries: number }[] = [];
  const slopes = [];
  for (const batch of data) {
    const gradients = await ExpertGradients.of("gradients", model);
    await gradients.see(batch);
    slopes.push(gradients.result());
    gradients.dispose();
  }
  for (const { id: layer } of moeLayers(spec))
    for (const slot of [0, 1])
      for (const matrix of ["gate", "up", "down"]) {
        const name = `${layer}.experts.${slot}.${matrix}`;
        const [out, width] = weights.info(name).shape;
        const { s } = factorise(await weights.values(name), [out, width], 2);
        const slope = await Promise.all(slopes.map((source) => source.values(name)));
        for (let row = 0; row < out; row++) {
          let score = 0;
          for (const each of slope)
            for (let i = row * width; i < (row + 1) * width; i++) score += Math.abs(s[i] * each[i]);
          scores.push({ at: `${layer} ${slot} ${matrix} ${row}`, score: score / width, entries: width });
        }
      }
  scores.sort((a, b) => b.score - a.score);
  let left = 0.25 * scores.reduce((sum, { entries }) => sum + entries, 0);
  const wanted = scores.filter(({ entries }) => (left -= entries) >= 0).map(({ at }) => at);
  const found = moeLayers(spec).flatMap(({ id: layer }) =>
    [0, 1].flatMap((slot) =>
      ["gate", "up", "down"].flatMap((matrix) =>
        rows[layer][slot][matrix].map((row) => `${layer} ${slot} ${matrix} ${row}`)
      )
    )
  );
  assert.equal(found.sort(), wanted.sort());
  assert.ok(found.length > 5);
  await model.dispose();
});

test.run();
