import { join } from "node:path";
import * as v from "valibot";
import { FormatError } from "../errors.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { readText } from "../read-text.js";
import type { Step } from "./study-state.js";

const MAX_BYTES = 1 << 30;
const names = v.array(v.string());
/** a save of moelab writes the first, the training of a bundled model the second */
const RECORDS = [["moelab.json",
  v.pipe(v.looseObject({ tasks: v.optional(names, []) }), v.transform(({ tasks }) => tasks))], ["training.json",
  v.pipe(v.looseObject({
    recipe: v.optional(
      v.looseObject({ task: v.optional(v.string()), mixture: v.optional(v.record(v.string(), v.unknown()), {}) }),
      {},
    ),
  }), v.transform(({ recipe: { task, mixture } }) => (task === undefined ? Object.keys(mixture) : [task])))]] as const;

/**
 * The tasks that a model was trained on: what the steps since it was opened say, or the record in its folder; none
 * without one.
 *
 * @param folder "" for none
 * @throws FormatError `bad-record` for a record that was damaged
 */
export async function tasksOf(folder: string, steps: readonly Step[] = []): Promise<string[]> {
  const own = steps.findLast(({ stage, options }) =>
    ["train", "distill"].includes(stage) && options.task !== undefined
  );
  if (own) return [own.options.task as string | string[]].flat();
  for (const [name, schema] of folder === "" ? [] : RECORDS) {
    const path = join(folder, name);
    const refuse = (why: string) =>
      new FormatError("bad-record",
        `load: in ${path} ${why} Fetch or save the model again, remove that file, or say { task }.`);
    const text = await readText(path, { verb: "load", accepted: "the record of a training or of a save",
      maxBytes: MAX_BYTES, code: "bad-record" });
    if (text === undefined) continue;
    let json: unknown;
    try {
      json = parseJson(text);
    } catch (error) {
      throw refuse(`${(error as Error).message}: that is no JSON.`);
    }
    const tasks = parsed(schema, json, refuse);
    if (tasks.length) return tasks;
  }
  return [];
}
