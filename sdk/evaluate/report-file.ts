import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { FormatError, MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { writeWhole } from "../files/write-whole.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { readText } from "../read-text.js";

/** A report of a study with thousands of arms is some megabytes; anything far larger is not a report. */
const MAX_REPORT_BYTES = 64 * 2 ** 20;

const Entries = v.record(v.string(), v.union([v.pipe(v.number(), v.finite()), v.string()]));

/** The layout of lm-evaluation-harness; fields of other versions of it are kept as they are. */
export const ReportSchema = v.pipe(v.looseObject({
  results: v.record(v.string(), Entries),
  groups: v.optional(v.record(v.string(), Entries)),
  group_subtasks: v.optional(v.record(v.string(), v.array(v.string()))),
  configs: v.record(v.string(), v.record(v.string(), v.unknown())),
  versions: v.record(v.string(), v.union([v.number(), v.string()])),
  "n-shot": v.record(v.string(), v.number()),
  higher_is_better: v.optional(v.record(v.string(), v.record(v.string(), v.nullable(v.boolean())))),
  "n-samples": v.record(v.string(), v.object({ original: v.number(), effective: v.number() })),
  config: v.optional(v.record(v.string(), v.unknown())),
  date: v.optional(v.number()),
}),
  v.check(
    ({ results }) =>
      Object.values(results).every((entries) => metricKeys(entries).every((key) => stderrKey(key) in entries)),
    "every metric has its standard error, or \"N/A\"",
  ),
  v.check(
    ({ results, configs, groups = {} }) =>
      Object.keys(results).every((task) => Object.hasOwn(configs, task) || Object.hasOwn(groups, task)),
    "every task has its configuration",
  ));

export type ReportFile = v.InferOutput<typeof ReportSchema>;

/** Keys of the metrics themselves, e.g. "acc,none". */
export function metricKeys(entries: Record<string, unknown>): string[] {
  return Object.keys(entries).filter((key) => key.includes(",") && !key.includes("_stderr,"));
}

/** @example stderrKey("acc,none")  // "acc_stderr,none" */
export function stderrKey(key: string): string {
  return key.replace(",", "_stderr,");
}

/**
 * Writes a report whole or not at all. Numbers that JSON cannot hold become "N/A".
 *
 * @throws MoeError `bad-report` when the report is not of the layout
 */
export async function writeReport(path: string, report: ReportFile): Promise<void> {
  const text = `${
    JSON.stringify(report, (_key, value) => (typeof value === "number" && !Number.isFinite(value) ? "N/A" : value), 1)
  }\n`;
  checked(JSON.parse(text), path, "writeReport");
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw cannotWrite("writeReport", dirname(path), error);
  });
  await writeWhole(path, text, { verb: "writeReport", replaces: (begun) => /^\s*\{\s*"results":/.test(begun) });
}

/** Reads a report and checks it. @throws FormatError `bad-report` */
export async function readReport(path: string): Promise<ReportFile> {
  const text = await readText(path, { verb: "readReport", accepted: "the path of a report", maxBytes: MAX_REPORT_BYTES,
    code: "bad-report" });
  if (text === undefined)
    throw new MoeError("no-report",
      `readReport: ${path} cannot be opened (ENOENT); accepted is the path of a report. Check the path.`);
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new FormatError("bad-report",
      `readReport: ${path} is not JSON (${(error as Error).message}); accepted is a report in the layout `
        + "of lm-evaluation-harness. Write it again.");
  }
  return checked(json, path, "readReport");
}

function checked(json: unknown, path: string, verb: string): ReportFile {
  return parsed(ReportSchema, json,
    (why) =>
      new FormatError("bad-report",
        `${verb}: in ${path} ${why} This is the layout of lm-evaluation-harness. Compare with a report written by `
          + "moelab."));
}
