import { printedPaper } from "../evaluate/index.js";
import { expectedBits } from "../tensor/formats/golomb.js";
import { ALL_TASKS, type JudgedCell, together } from "./judge.js";
import { sizeOf } from "./sizes.js";
import type { StudyFile } from "./study-file.js";

const contrary = { "reproduced": "refuted", "refuted": "reproduced", "not resolved": "not resolved" } as const;

export interface PaperVerdict {
  claim: string;
  /** value and unit */
  printed: string;
  verdict: string;
  /** the comparison that decides, or why there is none */
  by: string;
}

/**
 * What a study says about each claim of its paper's file: by a test of the study (on its first measure, in every
 * regime), by sizes that are counted exactly, or the reason why a model of this size cannot tell.
 */
export async function paperVerdicts(file: StudyFile, cells: readonly JudgedCell[]): Promise<PaperVerdict[]> {
  if (!file.paper) return [];
  const { claims } = printedPaper(file.paper);
  const rows: PaperVerdict[] = [];
  for (const [at, { claim, value, unit, source }] of claims.entries()) {
    for (const own of file.paperClaims.filter((one) => one.claim === at + 1)) {
      const row = { claim, printed: `${value} ${unit} (${source})` };
      if ("untestable" in own) rows.push({ ...row, verdict: "cannot be tested at this size", by: own.untestable });
      else if ("test" in own) {
        const judged = cells.filter(({ text }) => text === own.test);
        const measured = judged.filter(({ metric }) => metric === judged[0]?.metric);
        const all = measured.filter(({ regime }) => regime === ALL_TASKS);
        const first = (all.length > 0 ? all : measured).map((cell) => ({ ...cell,
          verdict: own.contrary ? contrary[cell.verdict] : cell.verdict })
        );
        const said = first.map(({ regime, verdict }) => `${regime && `${file.regimes[regime] ?? regime}: `}${verdict}`);
        rows.push({ ...row, verdict: first.length > 0 ? together(first.map(({ verdict }) => verdict)) : "not run",
          by: [
            `${own.contrary ? "not: " : ""}${own.test}, by ${file.measures[first[0]?.metric]?.by ?? "?"} (${
              said.join("; ")
            })`,
            own.note,
          ].filter(Boolean).join(". ") });
      } else if ("density" in own) {
        const bits = expectedBits(own.density), found = own.read === "bits" ? bits : 16 / bits;
        const near = Math.abs(found - value) <= own.within * Math.abs(value);
        rows.push({ ...row, verdict: near ? "reproduced" : "refuted",
          by: [`counted from the code: ${Number(found.toPrecision(3))} ${unit} at ${100 * own.density} % density`,
            own.note].filter(Boolean).join(". ") });
      } else {
        const names = [own.size].flat();
        const [one, other] = await Promise.all(names.map(async (name) => {
          const [part] = own.read.split(".") as ["parameters" | "flops"];
          return (await sizeOf(file.sizes!, name))[part].total;
        }));
        const found = other === undefined ? one / own.per : (100 * (other - one)) / other;
        const near = Math.abs(found - value) <= own.within * Math.abs(value);
        rows.push({ ...row, verdict: near ? "reproduced" : "refuted",
          by: [`counted from the configuration: ${Number(found.toPrecision(3))} ${unit} (${names.join(" against ")})`,
            own.note].filter(Boolean).join(". ") });
      }
    }
  }
  return rows;
}
