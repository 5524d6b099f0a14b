import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodePair } from "../../../sdk/evaluate/harness/encode-pair.js";
import { languageModel, type ScoredModel, type TextCodec } from "../../../sdk/evaluate/harness/language-model.js";
import { Rng, tf } from "../../../sdk/tensor/index.js";
import { useBackend } from "../../support/backends.js";
import { close } from "../../support/close.js";

const LETTERS = "_abcdefghijklmnopqrstuvwxyz ";
const V = LETTERS.length + 1;
/** one token per letter, but a space and the letter after it are one token only where they meet: " a" is 28 */
const codec: TextCodec = {
  encode: (text) => (text.match(/ a|./g) ?? []).map((part) => (part === " a" ? 28 : LETTERS.indexOf(part))),
  decode: (ids) => Array.from(ids, (id) => (id === 28 ? " a" : LETTERS[id])).join(""),
};
const logitsOf = (id: number): number[] => {
  const rng = new Rng(id + 1);
  return Array.from({ length: V }, () => 3 * rng.normal());
};
const logProbability = (given: number, next: number) => {
  const row = logitsOf(given);
  return row[next] - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
};
const best = (id: number) => {
  const row = logitsOf(id);
  return row.indexOf(Math.max(...row));
};

/** A bigram model: the next token depends on the last one alone. */
const longest: number[] = [];
function bigram(encoder = false): ScoredModel {
  return {
    spec: { tokens: { eos: [0], decoderStart: 0 }, ...(encoder && { encoder: {} as never }) },
    async forward({ ids, decoderIds }) {
      longest.push(ids[0].length);
      return { logits: tf.tensor3d((decoderIds ?? ids).map((row) => row.map(logitsOf))) };
    },
    async generate({ ids }, { maxTokens, onToken }) {
      return ids.map((row) => {
        const all = [...row];
        for (let i = 0; i < maxTokens; i++) {
          all.push(best(all.at(-1)!));
          if (onToken({ id: all.at(-1)! })) break;
        }
        return all.slice(row.length);
      });
    },
  };
}

test.before(() => useBackend("cpu"));

test("spaces at the end of the context go to the continuation", () => {
  assert.equal(encodePair(codec, "to ", "a", { prefix: 0 }), [codec.encode("to"), [28]]);
  assert.equal(encodePair(codec, "to", " a", { prefix: 0 }), [codec.encode("to"), [28]]);
  assert.equal(encodePair(codec, "", " a", { prefix: 0 }), [[0], [28]]);
  assert.equal(encodePair(codec, "to ", "a", { prefix: 0, separately: true }), [codec.encode("to"), [28]]);
});

test("log-likelihood is the sum over the continuation, whatever stands beside it in the batch", async () => {
  const likely = codec.decode([best(codec.encode("b")[0])]);
  const requests = [{ context: "ab", continuation: "cde" }, { context: "b", continuation: likely }, { context: "",
    continuation: "x" }];
  const ids = [..."abcde"].map((letter) => codec.encode(letter)[0]);
  const expected = logProbability(ids[1], ids[2]) + logProbability(ids[2], ids[3]) + logProbability(ids[3], ids[4]);
  const before = tf.memory().numTensors;
  const together = await languageModel(bigram(), codec).logLikelihood(requests);
  assert.is(tf.memory().numTensors, before);
  // float32 logits
  close(together.map(({ logLikelihood }) => logLikelihood), [expected, logProbability(ids[1], best(ids[1])),
    logProbability(0, codec.encode("x")[0])], 1e-5);
  assert.equal(together.map(({ greedy }) => greedy).slice(0, 2), [false, true]);
  const alone = await languageModel(bigram(), codec, { batchSize: 1 }).logLikelihood(requests);
  close(alone.map(({ logLikelihood }) => logLikelihood), together.map(({ logLikelihood }) => logLikelihood), 1e-6);
});

test("an encoder-decoder model starts its decoder", async () => {
  const [{ logLikelihood }] = await languageModel(bigram(true), codec).logLikelihood([{ context: "zz",
    continuation: "bc" }]);
  const [b, c] = codec.encode("bc");
  close([logLikelihood], [logProbability(0, b) + logProbability(b, c)], 1e-5);
  await languageModel(bigram(true), codec).rolling(["abc"]).then(() => assert.unreachable(),
    (error) => assert.is(error.code, "no-rolling"));
});

test("a whole text in windows is worth as much as at once, and the model never reads more than its length", async () => {
  const text = "the cat sat on the mat and then it sat on the cat";
  const ids = [0, ...codec.encode(text)];
  const expected = ids.slice(1).reduce((sum, id, index) => sum + logProbability(ids[index], id), 0);
  for (const length of [1, 7, 2048]) {
    longest.length = 0;
    const values = await languageModel(bigram(), codec, { length }).rolling([text, "b", ""]);
    close(values, [expected, logProbability(0, codec.encode("b")[0]), 0], 1e-4);
    assert.ok(Math.max(...longest) <= length);
  }
});

test("generated text ends before the first stop", async () => {
  const [whole] = await languageModel(bigram(), codec).generate([{ context: "ab", until: [], maxTokens: 6 }]);
  const stop = whole[3];
  const [cut] = await languageModel(bigram(), codec).generate([{ context: "ab", until: [stop], maxTokens: 6 }]);
  assert.is(cut, whole.slice(0, whole.indexOf(stop)));
});

test.run();
