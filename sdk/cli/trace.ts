import { Command } from "commander";
import { formatBytes, formatCount } from "../format.js";
import { readTrace } from "../offload/convert-trace.js";
import { policyNames } from "../offload/policies.js";
import { replay } from "../offload/replay.js";
import { saveTrace } from "../offload/trace-file.js";
import { traceStatistics } from "../offload/trace-statistics.js";
import { table } from "../view/index.js";

export const command = new Command("trace");

const options = (given: { experts?: string; prompt?: string }) => ({
  ...(given.experts !== undefined && { experts: Number(given.experts) }),
  ...(given.prompt !== undefined && { promptTokens: Number(given.prompt) }),
});

command.command("show").description("what a routing trace holds, and what caches of its experts would hit").argument(
  "<file>",
  "NAME.trace.json, or what Megatron-core or vLLM writes",
).option("--experts <count>", "experts of a layer, where the file does not say").option("--prompt <tokens>",
  "tokens that are one step, where the file does not say").action(
    async (file: string, given: { experts?: string; prompt?: string }) => {
      const trace = await readTrace(file, options(given));
      const { model, layers, experts, topK, steps, expertBytes } = trace;
      const tokens = steps.reduce((sum, { tokens }) => sum + tokens, 0), texts = new Set(steps.map(({ seq }) =>
        seq
      )).size;
      const decode = steps.filter(({ phase }) => phase === "decode").length;
      console.log(
        `${model}: ${layers} layers of ${experts} experts, ${topK} a token; ${formatCount(tokens)} tokens of ${texts} `
          + `${texts === 1 ? "text" : "texts"} in ${formatCount(steps.length)} steps, ${
            formatCount(decode)
          } of them decoding`,
      );
      const bytes = Object.entries(expertBytes).filter(([, bytes]) => bytes > 1);
      if (bytes.length > 0) console.log(
          `an expert: ${bytes.map(([name, n]) => `${formatBytes(n)} in ${name}`).join(", ")}`,
        );
      console.log(
        table(
          traceStatistics(trace).map(({ layer, counts, effectiveExperts, reuse, predicted = [] }) => ({ layer,
            used: counts.filter((count) => count > 0).length, effective: effectiveExperts, again: reuse,
            ...(trace.steps.every(({ nextLookahead }) => nextLookahead)
              && { one: predicted[0], two: predicted[1], three: predicted[2] }) })
          ),
          {
            columns: { layer: "text", used: { title: "experts used" }, effective: { title: "effective experts" },
              again: { title: "again next token", format: "percent" },
              one: { title: "foreseen 1 ahead", format: "percent" }, two: { title: "2 ahead", format: "percent" },
              three: { title: "3 ahead", format: "percent" } },
          },
        ).toText(),
      );
      const rows = [0.125, 0.25, 0.5].map((share) => {
        const slots = Math.max(1, Math.round(share * experts));
        const ratio = (policy: string) => {
          const { totals } = replay(trace, { policy, pool: "layer", slots });
          return totals.hits / (totals.hits + totals.misses);
        };
        return { "slots a layer": slots,
          ...Object.fromEntries(
            policyNames.filter((name) => !/lifo|halve|resident/.test(name)).map((name) => [name, ratio(name)]),
          ) };
      });
      console.log(table(rows, { title: "share of uses that are hits" }).toText());
    },
  );

command.command("convert").description("write a trace of another engine as NAME.trace.json").argument("<file>")
  .argument("<out>", "ends in .trace.json").option("--experts <count>").option("--prompt <tokens>").action(
    async (file: string, out: string, given: { experts?: string; prompt?: string }) => {
      await saveTrace(await readTrace(file, options(given)), out);
      console.log(`${out} written`);
    },
  );
