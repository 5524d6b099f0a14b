import { existsSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import * as v from "valibot";
import { FormatError, MoeError, suggest } from "../errors.js";
import { packageFile } from "../package-file.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { readTextSync } from "../read-text.js";
import { SizesSchema } from "./sizes.js";

const text = v.pipe(v.string(), v.nonEmpty());
const Options = v.record(v.string(), v.unknown());
/** Verbs of the chain; their options are the chain's own. */
export const VERBS = ["upcycle", "profile", "merge", "prune", "compress", "route", "train", "distill",
  "update"] as const;
export type Verb = (typeof VERBS)[number];

const oneOf = (names: readonly string[]) =>
  v.pipe(Options, v.check((stage) =>
    Object.keys(stage).length === 1 && names.includes(Object.keys(stage)[0]), `accepted is one of ${
    names.map((name) => `{ "${name}": … }`).join(", ")
  }`));
const Stage = v.union([v.pipe(v.string(), v.regex(/^[a-z]+$/, "the name of a stage that is scored is one word")),
  oneOf(VERBS)]);
/** a model: how it begins, and what is done to it before any arm */
const Begin = v.union([v.pipe(v.array(oneOf(["load", "create", ...VERBS])), v.minLength(1)),
  v.pipe(v.string(), v.regex(/^\$\w+$/, "accepted is a list of stages, or the \"$name\" of one"))]);

const Arm = v.strictObject({
  arm: text,
  /** experts per changed layer, on average: "$keep" in the chain */
  keep: v.pipe(v.array(v.number()), v.minLength(1)),
  /** a word stands where the model is scored under this name */
  chain: v.array(Stage),
  /** what the arm begins from, where that is not the study's */
  model: v.optional(Begin),
});

const Measure = v.strictObject({
  /** claims on it are corrected together, as "…, by KL" */
  by: text,
  better: v.picklist(["higher", "lower"]),
  scale: v.optional(v.picklist(["difference", "log2-ratio"])),
  /** what a difference is multiplied with before it is shown, 100 for points */
  factor: v.optional(v.number(), 1),
  /** of a difference as it is shown */
  unit: text,
});

const Claim = v.strictObject({
  text,
  arm: text,
  against: text,
  keep: v.number(),
  againstKeep: v.optional(v.number()),
  stage: text,
  /** names of measures */
  by: v.pipe(v.array(text), v.minLength(1)),
  /** it says that `arm` is the worse one */
  worse: v.optional(v.literal(true)),
  /** how far `arm` may be the worse one and the claim still holds, in the scale of the measure */
  margin: v.optional(v.pipe(v.number(), v.minValue(0))),
});

const Group = v.union([v.array(Claim), v.strictObject({ task: text, claims: v.array(Claim) })]);

/** A claim of the paper's file, by its number there, from 1: what decides about it. */
const PaperClaim = v.union([
  v.strictObject({ claim: v.number(), test: text, note: v.optional(text), /** the test says the contrary of the claim */
    contrary: v.optional(v.literal(true)) }),
  v.strictObject({ claim: v.number(), untestable: text }),
  v.strictObject({
    claim: v.number(),
    /** a size of `sizes`, or the share that the first saves of the second */
    size: v.union([text, v.tuple([text, text])]),
    read: v.picklist(["parameters.total", "flops.total"]),
    /** how far the computed value may be from the printed one, as a share of it */
    within: v.number(),
    per: v.optional(v.number(), 1),
    note: v.optional(text),
  }),
  /** what a share of signs and Golomb-coded places takes: bits a parameter, or how often that goes into 16 bits */
  v.strictObject({ claim: v.number(), density: v.number(), read: v.picklist(["bits", "factor"]), within: v.number(),
    note: v.optional(text) }),
]);

const Table = v.strictObject({
  title: text,
  /** tables of the paper's file to stand beside it */
  printed: v.array(text),
  keep: v.number(),
  /** a row for each of these tasks; default the study's, or all of them averaged */
  tasks: v.optional(v.array(text)),
  /** tasks are columns, of the first of `show`, in place of rows */
  across: v.optional(v.literal(true)),
  /** arms, those at another ratio as "full 16" */
  arms: v.array(text),
  /** columns: a measure, the stage it is taken at, and how it is written; "scaled" by the factor of the measure */
  show: v.array(v.tuple([text, text, v.picklist(["percent", "number", "scaled"])])),
});

/** File `data/studies/SLUG/study.json`. Without `arms` the study's models and scores are code, `experiment.ts`. */
export const StudyFileSchema = v.strictObject({
  /** slug of `data/papers` */
  paper: v.optional(text),
  about: text,
  /** values by name, put in for "$name" */
  let: v.optional(Options, {}),
  /** models that are trained once for all units with the same values and kept in out/studies/models; "$name" is their
   * folder */
  models: v.optional(v.record(v.string(), Begin), {}),
  /** axes; every combination is a unit, and each axis a name for the recipe. The last one numbers them */
  units: v.optional(v.record(v.string(), v.pipe(v.array(v.union([v.string(), v.number()])), v.minLength(1)))),
  model: v.optional(Begin),
  arms: v.optional(v.array(Arm)),
  /** options of `.evaluate()` */
  evaluate: v.optional(Options, {}),
  /** words for the regimes in pictures */
  regimes: v.optional(v.record(v.string(), text), {}),
  /** claims are judged on this task, where a group does not name another; default all tasks, averaged within a unit */
  task: v.optional(text),
  /** a claim that the study's models do not agree on is not resolved */
  modelsAgree: v.optional(v.boolean(), false),
  measures: v.record(v.string(), Measure),
  claims: v.record(v.string(), Group),
  /** kinds of tasks, for claims on usage */
  kinds: v.optional(v.record(v.string(), text)),
  paperClaims: v.optional(v.array(PaperClaim), []),
  tables: v.optional(v.record(v.string(), Table), {}),
  /** arms of the picture of quality against size; default all */
  frontier: v.optional(v.array(text)),
  sizes: v.optional(SizesSchema),
});

export type StudyFile = v.InferOutput<typeof StudyFileSchema>;
export type StudyArm = v.InferOutput<typeof Arm>;
export type Begin = Exclude<v.InferOutput<typeof Begin>, string>;
export type StudyTable = v.InferOutput<typeof Table>;

/** A study by its slug in `data/studies`, or by the path of a file of the same form. */
export interface FoundStudy {
  name: string;
  /** of study.json */
  path: string;
  file: StudyFile;
  /** of the results, one file a unit */
  results: string;
}

/** Slugs of the studies that moelab brings. */
export function studySlugs(): string[] {
  return readdirSync(packageFile("data/studies")).filter((name) =>
    existsSync(packageFile(`data/studies/${name}/study.json`))
  ).sort();
}

/**
 * Finds and checks a study.
 *
 * @param ref slug, or path of a .json file, whose results lie in `results/NAME` of the working folder
 * @throws MoeError `unknown-study` with the nearest slug; FormatError `bad-study`
 */
export function findStudy(ref: string): FoundStudy {
  const own = ref.endsWith(".json");
  const path = own ? ref : packageFile(`data/studies/${ref}/study.json`);
  if (!/^[\w./\\: -]+$/.test(ref) || (!own && !studySlugs().includes(ref)) || !existsSync(path))
    throw new MoeError("unknown-study",
      `study: there is no study ${JSON.stringify(ref)}. ${
        suggest(ref, studySlugs())
      } Or give the path of a .json file.`);
  const name = own ? basename(ref, ".json") : ref;
  return { name, path, file: readStudyFile(path),
    results: own ? `results/${name}` : packageFile(`data/results/${ref}`) };
}

function readStudyFile(path: string): StudyFile {
  let json: unknown;
  try {
    json = parseJson(
      readTextSync(path, { verb: "study", accepted: "the .json file of a study", maxBytes: 1 << 26, code: "bad-study" })
        ?? "",
    );
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw new FormatError("bad-study", `study: ${path} is not JSON (${(error as Error).message}).`);
  }
  return parsed(StudyFileSchema, json,
    (why) => new FormatError("bad-study", `study: in ${path} ${why} Compare with the other studies of data/studies.`));
}
