import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { aggregate } from "../../../sdk/evaluate/harness/aggregate.js";
import { runTask } from "../../../sdk/evaluate/harness/run-task.js";
import { report } from "../../../sdk/evaluate/report.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import type { HarnessModel, HarnessTask } from "../../../sdk/text/harness-task.js";
import { shared } from "../../support/shared.js";

const folder = shared("fixtures/oracles/lm-eval");
const read = (name: string) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
const lines = (name: string) =>
  readFileSync(`${folder}/tasks/${name}`, "utf8").trim().split("\n").map((line) => JSON.parse(line));

/** The fake model of the oracle: fixed functions of the text. */
function fakeModel(): HarnessModel {
  const { NAMES } = read("fake-model.json");
  const h = (text: string) =>
    parseInt(createHash("sha256").update(text, "utf8").digest("hex").slice(0, 8), 16) / 2 ** 32;
  return {
    logLikelihood: async (requests) =>
      requests.map(({ context, continuation }) => ({
        logLikelihood:
          -(0.3 * [...continuation].length * (0.5 + h(`len|${continuation}`)) + 3 * h(`${context}|${continuation}`)),
        greedy: h(`greedy|${context}|${continuation}`) < 0.4,
      })),
    rolling: async (texts) => texts.map((text) => -(1.1 * text.split(/\s+/).length + 4 * h(`roll|${text}`))),
    generate: async (requests) =>
      requests.map(({ context }) => ` ${NAMES[Math.floor(h(`gen|${context}`) * NAMES.length)]}`),
  };
}

/** The tasks of the oracle's YAML files. */
function tasks(): HarnessTask[] {
  const [choices, questions, texts] = [lines("mc.jsonl"), lines("qa.jsonl"), lines("lm.jsonl")];
  const choice: HarnessTask = {
    name: "tiny_mc",
    output: "multiple_choice",
    documents: choices,
    prompt: ({ question }) => `Question: ${question}\nAnswer:`,
    choices: ({ choices }) => choices,
    target: ({ label }) => label,
    metrics: ["acc", "acc_norm", "acc_mutual_info"],
  };
  const question = { documents: questions, prompt: ({ question }: { question: string }) => question,
    target: ({ answer }: { answer: string }) => answer };
  return [choice, { ...choice, name: "tiny_mc_fewshot",
    shots: { count: read("results.json").configs.tiny_mc_fewshot.num_fewshot } }, { name: "tiny_lm",
    output: "loglikelihood_rolling", documents: texts, prompt: () => "", target: ({ text }) => text,
    metrics: ["word_perplexity", "byte_perplexity", "bits_per_byte"] }, { ...question, name: "tiny_ppl",
    output: "loglikelihood", metrics: ["perplexity", "acc"] }, { ...question, name: "tiny_gen",
    output: "generate_until", metrics: ["exact_match"], exactMatch: { ignoreCase: true, ignorePunctuation: true },
    filters: [{ name: "strip", pattern: "([a-z]+)" }], generation: { until: ["\n"], maxTokens: 4 } }];
}

/** Equal structure, numbers to 1e-12: sums are in another order. */
function nearly(seen: any, wanted: any, path = "results"): void {
  if (typeof wanted === "number")
    assert.ok(Math.abs(seen - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted)), `${path}: ${seen}, expected ${wanted}`);
  else if (wanted && typeof wanted === "object") {
    assert.equal(Object.keys(seen ?? {}).sort(), Object.keys(wanted).sort(), path);
    for (const key of Object.keys(wanted)) nearly(seen[key], wanted[key], `${path}.${key}`);
  } else assert.is(seen, wanted, path);
}

if (folder) {
  test("samples equal lm-evaluation-harness", async () => {
    const expected = read("samples.json");
    for (const task of tasks()) {
      const samples = await runTask(task, fakeModel());
      assert.is(samples.length, expected[task.name].length);
      samples.forEach(({ values, ...sample }, index) =>
        nearly({ ...sample, metrics: task.metrics, ...values }, expected[task.name][index], `${task.name}[${index}]`)
      );
    }
  });

  test("the report equals lm-evaluation-harness", async () => {
    const expected = read("results.json");
    const results = [];
    for (const task of tasks()) results.push(aggregate(task, await runTask(task, fakeModel()), new Rng(1234)));
    const made = report(results, {
      provenance: {} as never,
      groups: [{ name: "tiny_group", tasks: ["tiny_mc", "tiny_mc_fewshot"],
        metrics: [{ metric: "acc", weightBySize: true }, { metric: "acc_norm", weightBySize: false }] }],
    });
    // by bootstrap, so it depends on the generator; its size does not
    const key = "perplexity_stderr,none";
    assert.ok(Math.abs(Number(made.results.tiny_ppl[key]) / expected.results.tiny_ppl[key] - 1) < 0.1,
      `${made.results.tiny_ppl[key]}`);
    made.results.tiny_ppl[key] = expected.results.tiny_ppl[key];
    for (const part of ["results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"])
      nearly(made[part], expected[part], part);
  });
}

test.run();
