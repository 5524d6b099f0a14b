import jsonata from "jsonata";
import { MoeError } from "../errors.js";

/** Values that expressions see beside the configuration: `$l` is the layer index, others come from a family's `let`. */
export type Bindings = Record<string, unknown>;

const compiled = new Map<string, ReturnType<typeof jsonata>>();
/** The deepest published models have some 130 layers; each takes a millisecond here. */
const MAX_REPEATS = 1000;
/** of one expression: bundled families take some hundred */
const MAX_STEPS = 100_000;

/**
 * Fills a family file's template from a configuration.
 * - a string that begins with "=" is a JSONata expression over the configuration; one without a result leaves its key
 *   out
 * - an expression may refuse a configuration with `$error("what was seen; what is accepted")`
 * - `{ "$use": "norm" }` is the definition of that name, overridden by the other keys; alone, it may have no result
 * - `{ "$if": "=…", "$then": …, "$else": … }` chooses
 * - `{ "$for": "=n", "$each": … }` is an array of n, with `$l` bound to the index
 */
export async function fill(
  template: unknown,
  config: object,
  definitions: Record<string, unknown>,
  bindings: Bindings,
): Promise<unknown> {
  if (typeof template === "string")
    return template.startsWith("=") ? evaluate(template.slice(1), config, bindings) : template;
  if (Array.isArray(template)) {
    const items = await Promise.all(template.map((item) => fill(item, config, definitions, bindings)));
    return items.flat().filter((item) => item !== undefined);
  }
  if (template === null || typeof template !== "object") return template;
  const node = template as Record<string, unknown>;
  if ("$if" in node) {
    const chosen = (await fill(node.$if, config, definitions, bindings)) ? node.$then : node.$else;
    return fill(chosen, config, definitions, bindings);
  }
  if ("$for" in node) {
    const count = await fill(node.$for, config, definitions, bindings);
    if (!isCount(count)) throw badCount(node.$for, count);
    const items = [];
    for (let l = 0; l < count; l++) items.push(await fill(node.$each, config, definitions, { ...bindings, l }));
    return items;
  }
  const { $use, ...own } = node;
  const base = $use === undefined
    ? {}
    : ((await fill(definitions[$use as string], config, definitions, bindings)) as object | undefined);
  if (base === undefined && Object.keys(own).length === 0) return undefined;
  const filled: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const result = await fill(value, config, definitions, bindings);
    if (result === undefined) delete filled[key];
    else filled[key] = result;
  }
  return filled;
}

/**
 * Checks how often the parts of a template are repeated, where the configuration alone says it: before anything else is
 * evaluated that grows with these numbers.
 *
 * @throws MoeError `bad-config`
 */
export async function checkRepeats(template: unknown, config: object): Promise<void> {
  if (typeof template !== "object" || template === null) return;
  for (const [key, value] of Object.entries(template)) {
    if (key !== "$for") {
      await checkRepeats(value, config);
      continue;
    }
    const count = await fill(value, config, {}, {});
    if (count !== undefined && !isCount(count)) throw badCount(value, count);
  }
}

function isCount(count: unknown): count is number {
  return Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MAX_REPEATS;
}

function badCount(expression: unknown, count: unknown): MoeError {
  return new MoeError("bad-config",
    `load: ${String(expression).replace(/^=/, "")} is `
      + `${JSON.stringify(count)?.slice(0, 80) ?? "not there"} in config.json; accepted is a whole number `
      + `from 0 to ${MAX_REPEATS}. Check the configuration.`);
}

async function evaluate(expression: string, config: object, bindings: Bindings): Promise<unknown> {
  try {
    let program = compiled.get(expression);
    if (!program) compiled.set(expression, program = jsonata(expression));
    let steps = 0;
    // the library calls this for each part that it evaluates
    program.assign(Symbol.for("jsonata.__evaluate_entry") as unknown as string, () => {
      if (++steps > MAX_STEPS) throw new Error(`it takes more than ${MAX_STEPS} steps`);
    });
    return await program.evaluate(config, bindings);
  } catch (error) {
    // a family file's own words: $error("what was seen; what is accepted")
    if ((error as { code?: string }).code === "D3137")
      throw new MoeError("bad-config", `load: ${(error as Error).message}. Check the configuration.`);
    throw new MoeError("bad-config",
      `load: "${expression.slice(0, 300)}" has no value for this config.json (${
        (error as Error).message.slice(0, 300)
      }). Check the ` + "configuration against the family file.");
  }
}
