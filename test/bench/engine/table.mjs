import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parts } from "./parts.mjs";
import { sizes, stepFlops } from "./sizes.ts";

const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const round = (x, digits = 2) => (x === undefined || Number.isNaN(x) ? "" : String(Number(x.toPrecision(digits + 1))));

/** The numbers of one side's result, by name, larger is better. */
function numbers(result, unit) {
  if (!result) return {};
  if (result.results) return result.results;
  return { [unit]: result.tokensPerSecond ?? 1 / result.seconds };
}

/**
 * What was measured in a folder of results: each number beside its peer and the machine's limit: medians over the
 * rounds, of single operations the best.
 */
export function table(folder) {
  const reports = Object.keys(parts).filter((name) => existsSync(join(folder, `${name}.json`))).map((name) =>
    JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"))
  );
  const limits = limitsOf(reports.find(({ part }) => part === "operations"));
  const lines = ["| part | side | number | engine | peer | ratio (least to most) | target | of the machine |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |"];
  for (const { part, rounds } of reports) {
    const { sides, unit, target, floor, floors, beside, inTurns } = parts[part];
    // what a slow moment of the machine takes from a short operation is not its own: the best of all rounds
    const typical = inTurns ? (list) => Math.max(...list) : middle;
    for (const side of Object.keys(sides).filter((name) => sides[name].script.endsWith(".ts"))) {
      for (const name of Object.keys(numbers(rounds[0][side], unit))) {
        const of = (who) => rounds.map((one) => numbers(one[who], unit)[name]);
        const peers = Object.keys(sides).filter((who) => sides[who].script.endsWith(".py") && rounds[0][who]);
        const rows = peers.length ? peers : [undefined];
        for (const peer of rows) {
          const ratios = peer
            ? rounds.map((one) => numbers(one[side], unit)[name] / numbers(one[peer], unit)[name])
            : [];
          const shown = peer
            ? `${round(inTurns ? typical(of(side)) / typical(of(peer)) : middle(ratios))} `
              + `(${round(Math.min(...ratios))} to ${round(Math.max(...ratios))})`
            : "";
          lines.push(
            `| ${part} | ${side}${peer && peer !== "peer" ? ` beside ${peer}` : ""} | ${name} | `
              + `${round(typical(of(side)), 3)} | ${peer ? round(typical(of(peer)), 3) : ""} | ${shown} | `
              + `${
                peer && beside?.includes(peer)
                  ? ""
                  : floors?.[name]
                  ? `${round(floors[name], 3)} itself`
                  : round(target?.[side] ?? floor)
              } ` + `| ${share(part, name, typical(of(side)), limits)} |`,
          );
        }
      }
    }
  }
  const machine = reports[0]?.machine;
  return `${
    machine
      ? `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; limits measured in the same way: `
        + `matrix product ${round(limits.gflops, 3)} GF/s, copy ${round(limits.gbytes, 3)} GB/s\n`
      : ""
  }${lines.join("\n")}`;
}

/** The best that either side reached. */
function limitsOf(report) {
  const most = (pattern) =>
    Math.max(
      ...(report?.rounds ?? []).flatMap((one) =>
        [one.engine, one.peer].flatMap((side) =>
          Object.entries(side?.results ?? {}).filter(([name]) => pattern.test(name)).map(([, value]) => value)
        )
      ),
    );
  return report ? { gflops: most(/GF\/s/), gbytes: most(/^copy/) } : {};
}

/**
 * Which share of the machine's limit a number is: of arithmetic for products, steps and passes, of bandwidth for bytes.
 */
function share(part, name, value, { gflops, gbytes }) {
  if (!gflops) return "";
  if (/vector/.test(name)) return `${round((2 * value) / gbytes)} of bandwidth`; // 4 bytes are read for 2 operations
  if (/GF\/s/.test(name)) return round(value / gflops);
  if (/bf16/.test(name)) return `${round((3 * value) / gbytes)} of bandwidth`; // 2 bytes read, 4 written
  if (/GB\/s/.test(name)) return `${round(value / gbytes)} of bandwidth`;
  const { flops, flopsPerToken } = parts[part];
  const perToken = flopsPerToken ?? (flops && stepFlops(sizes[flops]) / (sizes[flops].B * sizes[flops].T));
  return perToken ? round((value * perToken) / 1e9 / gflops) : "";
}
