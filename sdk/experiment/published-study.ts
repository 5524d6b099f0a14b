import { MoeError, suggest } from "../errors.js";
import { mean, meanStderr, printedTable, type StudyResults, studyResults } from "../evaluate/index.js";
import { DISPLAY, type Displayable, type MimeBundle } from "../view/displayable.js";
import { type Chart, charts, type Row, type Table, table } from "../view/index.js";
import { TablesBeside } from "../view/tables-beside.js";
import { frontier, type FrontierOptions } from "./frontier.js";
import { type JudgedCell, judgeStudy } from "./judge.js";
import { paperVerdicts } from "./paper-verdicts.js";
import { runsTable } from "./runs-table.js";
import { sizeOf } from "./sizes.js";
import { findStudy, type FoundStudy } from "./study-file.js";
import { studyTable } from "./study-table.js";
import { usageByTask } from "./usage-by-task.js";

/**
 * Opens a study's committed results: `const study = await moe.study("mc-smoe")`.
 *
 * @param ref slug of `data/studies`, or the path of a study file of one's own
 * @throws MoeError `unknown-study` with the nearest slug; FormatError `bad-study`, `bad-report`
 */
export async function publishedStudy(ref: string): Promise<PublishedStudy> {
  const found = findStudy(ref);
  return new PublishedStudy(found, await studyResults(found.results));
}

/** What a study found: verdicts, tables beside the paper's, quality against size, runs. Each draws itself in a cell. */
export class PublishedStudy implements Displayable {
  readonly #found: FoundStudy;
  readonly #cells: readonly JudgedCell[];

  constructor(found: FoundStudy, readonly results: StudyResults) {
    this.#found = found;
    this.#cells = judgeStudy(found.file, results);
  }

  get name(): string {
    return this.#found.name;
  }

  /** in the words that pictures and tables use */
  get regimes(): string[] {
    return [...new Set(this.#entries().map(({ regime }) => this.#regime(regime)))];
  }

  /** of the claims, the paper's own first */
  get groups(): string[] {
    return Object.keys(this.#found.file.claims);
  }

  /** One picture: claims down, measures and regimes across, side and interval in each cell. */
  verdicts(group = this.groups[0]): Chart {
    const { measures } = this.#found.file;
    const cells = this.#of(group);
    return charts.verdictGrid(cells.map((cell) => {
      const { factor } = measures[cell.metric];
      return { claim: cell.text, measure: measures[cell.metric].unit, regime: this.#regime(cell.regime),
        difference: factor * cell.mean, low: factor * cell.low, high: factor * cell.high, verdict: cell.verdict };
    }), { title: `${this.name}: ${group}` });
  }

  /** The same as intervals around zero, for one measure. */
  forest(metric: string, { group = this.groups[0], keep }: { group?: string; keep?: number } = {}): Chart[] {
    const { unit, factor } = this.#measure(metric);
    const cells = this.#of(group).filter((cell) =>
      cell.metric === metric && Number.isFinite(cell.low)
      && (keep === undefined || cell.arm.split(" ").at(-2) === String(keep))
    );
    return [...new Set(cells.map(({ regime }) => regime))].map((regime) =>
      charts.intervalForest(
        cells.filter((cell) => cell.regime === regime).map(({ text, mean, low, high, verdict }) => ({ claim: text,
          difference: factor * mean, low: factor * low, high: factor * high, verdict })
        ),
        { title: [group, this.#regime(regime)].filter(Boolean).join(": "), difference: `${unit}, 95 % interval` },
      )
    );
  }

  /** Every number behind the picture: intervals, each model's mean, verdicts with and without correction, power. */
  claims(group = this.groups[0]): Table {
    const { measures } = this.#found.file;
    const rows = this.#of(group).map((cell) => {
      const { factor, unit } = measures[cell.metric];
      const [low, high] = [factor * cell.low, factor * cell.high];
      return { claim: cell.text, measure: unit, regime: this.#regime(cell.regime),
        difference: `${signed(factor * cell.mean)} [${signed(low)}, ${signed(high)}]`,
        models: cell.models.map((one) => signed(factor * one)).join(", "), n: cell.n,
        verdict: cell.verdict === cell.verdictAlone
          ? cell.verdict
          : `${cell.verdict} (uncorrected: ${cell.verdictAlone})`,
        pairs: cell.pairsFor80 === undefined ? "" : cell.pairsFor80 > 999 ? "over 999" : String(cell.pairsFor80) };
    });
    const several = rows.some(({ models }) => models !== "");
    return table(rows, { title: `${this.name}: ${group}`, maxRows: 140,
      columns: { claim: "text", measure: "text", ...(rows.some(({ regime }) => regime) && { regime: "text" as const }),
        difference: { title: "difference, 95 % interval", format: "text" },
        ...(several && { models: { title: "each model", format: "text" as const } }),
        n: { title: "units", format: "count" }, verdict: "text",
        pairs: { title: "pairs for 80 % power", format: "text" } } });
  }

  /** The claims of the paper's file, what decides about each, and the verdict. */
  async paperClaims(): Promise<Table> {
    const rows = await paperVerdicts(this.#found.file, this.#cells);
    return table(rows, { title: `${this.name}: what the paper claims`, maxRows: 60,
      columns: { claim: whole, printed: whole, verdict: "text", by: { title: "by what", format: whole } } });
  }

  /** A table of the study with the paper's printed ones beside it. */
  table(name: string): TablesBeside {
    const { tables, paper } = this.#found.file;
    const wanted = tables[name];
    if (!wanted)
      throw new MoeError("unknown-table",
        `study: ${this.name} has no table "${name}". ${suggest(name, Object.keys(tables))}`);
    return new TablesBeside([studyTable(this.#found.file, wanted, this.results.entries),
      ...wanted.printed.map((each) => {
        const { columns, rows, source } = printedTable(paper!, each);
        return table(rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]]))), {
          title: `${source}, as printed`,
        });
      })]);
  }

  /** Quality against size, one picture a regime: means over units with their 95 % interval. */
  frontier(metric?: string, options: FrontierOptions = {}): Chart[] {
    const { measures } = this.#found.file;
    const name = metric ?? Object.keys(measures).find((one) => measures[one].better === "higher")
      ?? Object.keys(measures)[0];
    return frontier(this.#entries(), name, this.#measure(name), (regime) => this.#regime(regime), {
      arms: this.#found.file.frontier,
      ...options,
    });
  }

  /** Where the numbers come from: one row for all units of a kind. */
  runs(): Table {
    return runsTable(this.name, this.results);
  }

  /** Who uses which experts: a map for the first unit of every task, and the experts in effect of all. */
  usage(): [Chart, Table] {
    return usageByTask(this.results.runs, this.#found.file.kinds ?? {});
  }

  /** Sizes of the paper's own configurations, counted exactly. */
  async sizes(): Promise<Table> {
    const { sizes } = this.#found.file;
    if (!sizes) throw new MoeError("no-sizes", `study: ${this.name} counts no sizes; its study.json has no "sizes".`);
    const rows = [];
    for (const [model, { printed }] of Object.entries(sizes.models)) {
      const { parameters, flops } = await sizeOf(sizes, model);
      rows.push({ model, "parameters (million)": (parameters.total / 1e6).toFixed(1),
        GFLOPs: (flops.total / 1e9).toPrecision(4), printed });
    }
    return table(rows, { title: "Counted from the paper's configuration", maxRows: 60 });
  }

  /**
   * What the units hold beside scores, or an arm beside its scores (`at` then begins with task and arm), as rows: a
   * nested record becomes one row a number, `at` the keys on the way
   * to it.
   *
   * @example study.measured("alignment_gain")  // [{ run, regime, at: ["encoder.layers.1", "trained"], value: 0.2 }, …]
   */
  measured(name: string): { run: string; regime: string; at: string[]; value: number }[] {
    const { runs, entries } = this.results;
    const found = runs.flatMap(({ run, regime, measurements }) =>
      leaves(measurements[name]).map(({ at, value }) => ({ run, regime: this.#regime(regime), at, value }))
    );
    return found.length > 0
      ? found
      : entries.flatMap(({ run, regime, task, arm, about }) =>
        leaves(about[name]).map(({ at, value }) => ({ run, regime: this.#regime(regime), at: [task, arm, ...at],
          value })
        )
      );
  }

  /** Means over units of what was measured: one row for each way of keys but the last, whose values are the columns. */
  measuredTable(name: string, title: string): Table {
    const groups = new Map<string, { regime: string; at: string; values: Record<string, number[]> }>();
    for (const { regime, at, value } of this.measured(name)) {
      const key = [regime, ...at.slice(0, -1)].join("\n");
      const group = groups.get(key) ?? { regime, at: at.slice(0, -1).join(", "), values: {} };
      groups.set(key, group);
      (group.values[at.at(-1)!] ??= []).push(value);
    }
    return table(
      [...groups.values()].map(({ regime, at, values }): Row => ({ regime, of: at,
        ...Object.fromEntries(
          Object.entries(values).flatMap(
            ([column, each]) => [[column, mean(each)], [`${column}_stderr`, meanStderr(each)]]
          ),
        ), units: Math.max(...Object.values(values).map(({ length }) => length)) })
      ),
      { title, maxRows: 60 },
    );
  }

  async [DISPLAY](): Promise<MimeBundle> {
    return (await this.paperClaims())[DISPLAY]();
  }

  #entries() {
    const { task } = this.#found.file;
    return this.results.entries.filter((entry) => !task || entry.task === task);
  }

  #of(group: string): JudgedCell[] {
    const cells = this.#cells.filter((cell) => cell.group === group);
    if (cells.length > 0 || this.groups.includes(group)) return cells;
    throw new MoeError("unknown-group", `study: ${this.name} has no claims "${group}". ${suggest(group, this.groups)}`);
  }

  #measure(name: string) {
    const { measures } = this.#found.file;
    if (!measures[name])
      throw new MoeError("unknown-metric",
        `study: ${this.name} has no measure "${name}". ${suggest(name, Object.keys(measures))}`);
    return measures[name];
  }

  #regime(name: string): string {
    return this.#found.file.regimes[name] ?? name;
  }
}

/** text that is not cut short */
const whole = (value: unknown) => String(value);

function leaves(value: unknown, at: string[] = []): { at: string[]; value: number }[] {
  if (typeof value === "number") return [{ at, value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, [...at, key]));
}

function signed(value: number): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
}
