import { FormatError, MoeError } from "../errors.js";
import { writeWhole } from "../files/write-whole.js";
import { parseJson } from "../parse-json.js";
import { readText } from "../read-text.js";
import { parsePlan } from "./check.js";
import type { Plan } from "./plan.js";

/** A thousand layers of a thousand experts with permutations of a thousand neurons are larger than a plan will be. */
const MAX_BYTES = 2 ** 30;

/** Writes a plan as JSON. The file has a temporary name until it is whole. */
export async function savePlan(path: string, plan: Plan): Promise<void> {
  await writeWhole(path, JSON.stringify(plan), { verb: "plan",
    replaces: (text) => /^\s*\{\s*"version":\s*\d+,\s*"for":/.test(text) });
}

/**
 * Reads a plan, and checks its shape and sizes; whether it fits a model is checked when it is applied.
 *
 * @throws FormatError `bad-plan`; MoeError `no-such-file`
 */
export async function loadPlan(path: string): Promise<Plan> {
  const text = await readText(path, { verb: "plan", accepted: "a file that plan.save wrote", maxBytes: MAX_BYTES,
    code: "bad-plan" });
  if (text === undefined)
    throw new MoeError("no-such-file",
      `plan: ${path} cannot be read (ENOENT); accepted is a file that plan.save wrote. Check the path.`);
  try {
    return parsePlan(parseJson(text));
  } catch (error) {
    if (error instanceof MoeError)
      throw new FormatError("bad-plan", error.message.replace("plan:", `plan: in ${path},`), { cause: error });
    throw new FormatError("bad-plan",
      `plan: ${path} is not JSON (${(error as Error).message}); accepted is a file that plan.save wrote. `
        + "Save the plan again.", { cause: error });
  }
}
