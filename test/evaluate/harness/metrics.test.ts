import fc from "fast-check";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scoreChoice } from "../../../sdk/evaluate/harness/choice.js";
import { f1, matthews } from "../../../sdk/evaluate/harness/classification.js";
import { exactMatch } from "../../../sdk/evaluate/harness/exact-match.js";
import { extract } from "../../../sdk/evaluate/harness/extract.js";
import { bitsPerByte, byteCount, perplexity, weightedPerplexity,
  wordCount } from "../../../sdk/evaluate/harness/perplexity.js";
import { pooledMean, pooledStderr } from "../../../sdk/evaluate/harness/pooled.js";
import { disjointWindow, rollingWindows } from "../../../sdk/evaluate/harness/rolling-windows.js";
import { mean, meanStderr, standardDeviation } from "../../../sdk/statistics/mean.js";
import { close } from "../../support/close.js";
import { shared } from "../../support/shared.js";

const folder = shared("fixtures/oracles/lm-eval");
if (folder) {
  const oracle = JSON.parse(readFileSync(`${folder}/metrics.json`, "utf8"));

  test("aggregations equal lm-evaluation-harness", () => {
    const functions: Record<string, (values: any) => number> = {
      mean,
      mean_stderr: meanStderr,
      sample_stddev: standardDeviation,
      acc_stderr_binary: meanStderr,
      perplexity,
      weighted_perplexity: weightedPerplexity,
      bits_per_byte: bitsPerByte,
      matthews_corrcoef: matthews,
      f1_score_binary_pairs_gold_pred: f1,
    };
    for (const [name, run] of Object.entries(functions)) {
      const [input, expected] = oracle[name];
      close([run(input)], [expected], 1e-12, name);
    }
    close([pooledStderr(...(oracle.pooled_sample_stderr[0] as [number[], number[]]))], [oracle.pooled_sample_stderr[1]],
      1e-12);
    const [[values, sizes], bySize, alike] = oracle.aggregate_subtask_metrics;
    close([pooledMean(values, sizes), pooledMean(values, sizes, false)], [bySize, alike], 1e-12);
    const [[seen, wanted], strict, loose] = oracle.exact_match;
    const share = (options: object) =>
      mean(seen.map((text: string, index: number) => exactMatch(text, wanted[index], options)));
    assert.equal([share({}), share({ ignoreCase: true, ignorePunctuation: true })], [strict, loose]);
  });

  test("rolling windows equal lm-evaluation-harness", () => {
    const { cases, prefix_token: prefix } = JSON.parse(readFileSync(`${folder}/rolling-windows.json`, "utf8"));
    assert.ok(cases.length > 0);
    for (const { tokens, max_seq_len: length, context_len: context, windows, disjoint } of cases) {
      const made = rollingWindows(tokens, { prefix, length, context });
      assert.equal(made, windows);
      assert.equal(made.map(disjointWindow), disjoint);
    }
  });
}

test("rolling windows predict every token once and never give more than the model reads", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }),
      (n, length, context) => {
        const tokens = Array.from({ length: n }, (_, index) => index + 1);
        if (context > length)
          return assert.throws(() => rollingWindows(tokens, { prefix: 0, length, context }), /1 <= context <= length/);
        const windows = rollingWindows(tokens, { prefix: 0, length, context });
        assert.equal(windows.flatMap(([, continuation]) => continuation), tokens);
        for (const window of windows) {
          const [given, continuation] = disjointWindow(window);
          assert.ok(given.length + continuation.length <= length + 1);
          assert.is(given.at(-1)! + 1, continuation[0]);
        }
      }),
  );
});

test("choices: ties go to the first, length is in characters", () => {
  assert.equal(scoreChoice(["a", "b"], 0, [-1, -1]), { acc: 1, acc_norm: 1 });
  assert.equal(scoreChoice(["é😀", "long"], 1, [-2, -3]), { acc: 0, acc_norm: 1 });
  assert.is(scoreChoice(["a", "b"], 1, [-1, -2], [-1, -5]).acc_mutual_info, 1);
});

test("exact match takes out what is to be ignored, in order", () => {
  assert.is(exactMatch("x #### 1,234.", "1234", { ignorePatterns: [",", "(?s).*#### ", "\\.$"] }), 1);
  assert.is(exactMatch("a1", "A", { ignoreCase: true, ignoreNumbers: true }), 1);
  assert.is(exactMatch("a ", "a"), 0);
});

test("extraction: Python's findall with one group, several groups, none, from the end", () => {
  assert.is(extract("it is 4 or 42.", "([0-9]+)"), "4");
  assert.is(extract("it is 4 or 42.", "(-?[$0-9.,]{2,})|(-?[0-9]+)", -1), "42.");
  assert.is(extract("so #### -3,5 ", "#### (\\-?[0-9\\.\\,]+)"), "-3,5");
  assert.is(extract("THE answer", /the \w+/i), "THE answer");
  assert.is(extract("nothing", "([0-9]+)"), "[invalid]");
  assert.throws(() => extract("x", "("), /not a regular expression/);
});

test("words by white space, bytes as UTF-8", () => {
  assert.equal([wordCount("one two  three"), byteCount("é✓")], [3, 5]);
});

test("matthews of a constant prediction is 0, of a perfect one 1", () => {
  assert.is(matthews([[0, 1], [1, 1]]), 0);
  close([matthews([[0, 0], [1, 1], [2, 2]])], [1], 1e-12);
  assert.is(f1([[0, 0]]), 0);
});

test.run();
