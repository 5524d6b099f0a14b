import { MoeError } from "../../errors.js";
import { type HarnessModel, type HarnessTask, METRICS_OF, type Sample } from "../../text/harness-task.js";
import { scoreChoice } from "./choice.js";
import { exactMatch } from "./exact-match.js";
import { extract } from "./extract.js";
import { byteCount, wordCount } from "./perplexity.js";
import { promptWithShots } from "./shots.js";

/**
 * Asks a model every document of a task.
 *
 * @returns a sample per document and filter
 * @throws MoeError `bad-task` for a metric that the kind of task does not have, or a target that is not among the
 *   choices
 */
export async function runTask<D>(task: HarnessTask<D>, model: HarnessModel): Promise<Sample[]> {
  const accepted: readonly string[] = METRICS_OF[task.output];
  for (const metric of task.metrics) {
    if (!accepted.includes(metric))
      throw new MoeError("bad-task",
        `run: ${metric} in task ${task.name}; accepted for ${task.output} are ${accepted.join(", ")}. Change `
          + "the metrics or the output type.");
  }
  const samples = await ask[task.output](task, model);
  return samples.map((sample) => ({ ...sample,
    values: Object.fromEntries(task.metrics.map((metric) => [metric, sample.values[metric]])) })
  );
}

type Asker = (task: HarnessTask, model: HarnessModel) => Promise<Sample[]>;

const ask: Record<HarnessTask["output"], Asker> = {
  async multiple_choice(task, model) {
    const delimiter = task.targetDelimiter ?? " ";
    const questions = task.documents.map((document) => {
      const choices = task.choices!(document);
      const target = task.target(document);
      const gold = typeof target === "number" ? target : choices.indexOf(target);
      if (!(gold in choices))
        throw new MoeError("bad-task",
          `run: target ${JSON.stringify(target)} in task ${task.name}; accepted is the index or text of one of `
            + `${choices.length} choices: ${choices.join(", ")}. Check the documents.`);
      const contexts = task.metrics.includes("acc_mutual_info")
        ? [promptWithShots(task, document), ""]
        : [promptWithShots(task, document)];
      return { choices, gold,
        requests: contexts.flatMap((context) =>
          choices.map((choice) => ({ context, continuation: delimiter + choice }))
        ) };
    });
    const answers = await model.logLikelihood(questions.flatMap(({ requests }) => requests));
    let next = 0;
    return questions.map(({ choices, gold, requests }, doc_id) => {
      const given = answers.slice(next, next += requests.length);
      const values = given.map(({ logLikelihood }) => logLikelihood);
      const pairs = given.map(({ logLikelihood, greedy }) => [logLikelihood, greedy]);
      const unconditional = requests.length > choices.length ? values.slice(choices.length) : undefined;
      return {
        doc_id,
        target: gold,
        arguments: requests.map(({ context, continuation }) => [context, continuation]),
        resps: pairs.map((pair) => [pair]),
        filtered_resps: pairs,
        filter: "none",
        values: { ...scoreChoice(choices, gold, values.slice(0, choices.length), unconditional) },
      };
    });
  },

  async loglikelihood(task, model) {
    const requests = task.documents.map((document) => ({ context: promptWithShots(task, document),
      continuation: String(task.target(document)) })
    );
    const answers = await model.logLikelihood(requests);
    return answers.map(({ logLikelihood, greedy }, doc_id) => {
      const { context, continuation } = requests[doc_id];
      const pair = [logLikelihood, greedy];
      return { doc_id, target: continuation, arguments: [[context, continuation]], resps: [[pair]],
        filtered_resps: [pair], filter: "none", values: { perplexity: logLikelihood, acc: greedy ? 1 : 0 } };
    });
  },

  async loglikelihood_rolling(task, model) {
    const texts = task.documents.map((document) => String(task.target(document)));
    const answers = await model.rolling(texts);
    return answers.map((logLikelihood, doc_id) => {
      const text = texts[doc_id];
      const perByte = [logLikelihood, byteCount(text)] as const;
      return {
        doc_id,
        target: text,
        arguments: [[text]],
        resps: [[logLikelihood]],
        filtered_resps: [logLikelihood],
        filter: "none",
        values: { word_perplexity: [logLikelihood, wordCount(text)], byte_perplexity: perByte, bits_per_byte: perByte },
      };
    });
  },

  async generate_until(task, model) {
    const { until, maxTokens } = task.generation ?? { until: ["\n\n"], maxTokens: undefined };
    const contexts = task.documents.map((document) => promptWithShots(task, document));
    const texts = await model.generate(
      contexts.map((context) => ({ context, until, ...(maxTokens !== undefined && { maxTokens }) })),
    );
    const filters =
      task.filters?.map(({ name, pattern, match }) => ({ name, apply: (text: string) =>
        extract(text, pattern, match) })
      ) ?? [{ name: "none", apply: (text: string) => text }];
    return filters.flatMap(({ name, apply }) =>
      texts.map((text, doc_id) => {
        const target = String(task.target(task.documents[doc_id]));
        const answer = apply(text);
        return {
          doc_id,
          target,
          arguments: [[contexts[doc_id], { until, ...(maxTokens !== undefined && { max_gen_toks: maxTokens }),
            do_sample: false }]],
          resps: [[text]],
          filtered_resps: [answer],
          filter: name,
          values: { exact_match: exactMatch(answer, target, task.exactMatch) },
        };
      })
    );
  },
};
