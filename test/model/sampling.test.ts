import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { checkSampling, draw, nextProbabilities, type Sampling } from "../../sdk/model/sampling.js";
import { Rng } from "../../sdk/tensor/index.js";
import { useBackend } from "../support/backends.js";
import { rejects } from "../support/rejects.js";

const folder = (name: string) => new URL(`../fixtures/models/${name}`, import.meta.url).pathname;
/** made by .ci/logits-processors.py */
const expected = JSON.parse(readFileSync(new URL("../fixtures/logits-processors.json", import.meta.url), "utf8")) as {
  cases: { setting: Record<string, number>; logits: number[][]; ids: number[][]; probabilities: number[][] }[];
  penalized: { model: string; ids: number[]; repetition_penalty: number; added: number[] }[];
};

test.before(() => useBackend("wasm"));

for (const { setting, logits, ids, probabilities } of expected.cases) {
  test(`${JSON.stringify(setting)}: probabilities are those of transformers' logits processors`, () => {
    const { temperature, top_k: topK, top_p: topP, min_p: minP, repetition_penalty: repetitionPenalty } = setting;
    logits.forEach((row, at) => {
      const seen = nextProbabilities(Float32Array.from(row), ids[at], { temperature: temperature ?? 1, topK, topP, minP,
        repetitionPenalty });
      seen.forEach((probability, id) =>
        assert.ok(Math.abs(probability - probabilities[at][id]) < 1e-6,
          `${at} ${id}: ${probability}, not ${probabilities[at][id]}`)
      );
    });
  });
}

test("tokens are drawn as often as their probabilities say", () => {
  const probabilities = nextProbabilities(Float32Array.of(2, 1, 0, -1, -50), [], { topK: 3 });
  const rng = new Rng(3), counts = [0, 0, 0, 0, 0], N = 40_000;
  for (let i = 0; i < N; i++) counts[draw(probabilities, rng)]++;
  probabilities.forEach((p, id) =>
    assert.ok(Math.abs(counts[id] / N - p) <= 4 * Math.sqrt(p * (1 - p) / N), `${id}: ${counts[id] / N} of ${p}`)
  );
});

for (const { model: name, ids, repetition_penalty, added } of expected.penalized) {
  test(`${name}: greedy with a repetition penalty is transformers' generate`, async () => {
    const { model } = await openModel(folder(name));
    const options = { maxTokens: added.length, stop: [] };
    const [answer] = await model.generate({ ids: [ids] }, { ...options, repetitionPenalty: repetition_penalty });
    assert.equal(answer, added);
    assert.is.not(String((await model.generate({ ids: [ids] }, options))[0]), String(added));
    await model.dispose();
  });
}

test("a seed gives the same text, whatever stands beside it; the likeliest of one is the greedy one", async () => {
  const { model } = await openModel(folder("olmoe"));
  const sampling = { maxTokens: 8, stop: [], temperature: 2, seed: 5 };
  const alone = await model.generate({ ids: [[5, 9, 2]] }, sampling);
  const beside = await model.generate({ ids: [[5, 9, 2, 0], [7, 7, 1, 3]], mask: [[1, 1, 1, 0], [1, 1, 1, 1]] },
    sampling);
  assert.equal(beside[0], alone[0]);
  assert.not.equal(await model.generate({ ids: [[5, 9, 2]] }, { ...sampling, seed: 6 }), alone);
  const greedy = await model.generate({ ids: [[5, 9, 2]] }, { maxTokens: 8, stop: [] });
  assert.equal(await model.generate({ ids: [[5, 9, 2]] }, { ...sampling, topK: 1 }), greedy);
  assert.equal(await model.generate({ ids: [[5, 9, 2]] }, { ...sampling, temperature: 0, topP: 0.5 }), greedy);
  const seen: number[] = [];
  const [cut] = await model.generate({ ids: [[5, 9, 2]] }, {
    maxTokens: 8,
    stop: [],
    onToken: ({ id }) => seen.push(id) === 3,
  });
  assert.equal(cut, greedy[0].slice(0, 3));
  assert.equal(seen, cut);
  await model.dispose();
});

test("what is out of range is named", async () => {
  const wrong: [Sampling, RegExp][] = [[{ temperature: -1 }, /temperature is -1/], [{ topK: 0 }, /topK is 0/], [{
    topK: 2.5,
  }, /topK is 2.5/], [{ topP: 0 }, /topP is 0/], [{ topP: 1.1 }, /topP is 1.1/], [{ minP: 1 }, /minP is 1/], [{
    repetitionPenalty: 0,
  }, /repetitionPenalty is 0/], [{ seed: 0.5 }, /seed is 0.5/], [{ temperature: NaN }, /temperature is NaN/], [{
    topP: "0.5" as never,
  }, /topP is "?0.5/]];
  for (const [sampling, message] of wrong) {
    const error = await rejects(Promise.resolve().then(() => checkSampling(sampling)));
    assert.is(error.code, "bad-sampling");
    assert.match(error.message, message);
  }
});

test.run();
