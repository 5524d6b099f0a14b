import type { Baseline } from "./baseline.js";
import { mostFrequent } from "./most-frequent.js";

/**
 * Translates symbol by symbol: each input symbol with its two neighbours gives the output most frequent for it in
 * training.
 * In training the output is laid evenly along the input, so a symbol owns none, one or more output symbols.
 * Contexts never seen fall back to the symbol alone.
 */
export const letterTable: Baseline = ({ train }) => {
  const table = mostFrequent();
  const context = (prompt: string[], i: number) => `${prompt[i - 1] ?? ""}\t${prompt[i]}\t${prompt[i + 1] ?? ""}`;
  for (const { prompt, answer } of train) {
    prompt.forEach((symbol, i) => {
      const own = answer.slice(Math.round((i * answer.length) / prompt.length),
        Math.round(((i + 1) * answer.length) / prompt.length)).join("\t");
      table.add(context(prompt, i), own);
      table.add(symbol, own);
    });
  }
  return ({ prompt }) =>
    prompt.flatMap((symbol, i) =>
      (table.get(context(prompt, i)) ?? table.get(symbol) ?? "").split("\t").filter(Boolean)
    );
};
