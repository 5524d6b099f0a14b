import * as v from "valibot";
import { suggest } from "./errors.js";

/** what a value of the wrong kind should have been, by the name of what refused it */
const ACCEPTED: Record<string, string | ((requirement: unknown) => string)> = {
  number: "a number",
  loose_object: "an object",
  strict_object: "an object",
  object: "an object",
  record: "an object",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  integer: "a whole number",
  finite: "a finite number",
  min_value: (least) => `at least ${least}`,
  max_value: (most) => `at most ${most}`,
  gt_value: (bound) => `a number above ${bound}`,
  min_length: (least) => `at least ${least} of them`,
  max_length: (most) => `at most ${most} of them`,
  regex: (pattern) => `a name like ${pattern}`,
};

/**
 * What a schema makes of parsed JSON. Stops at the first thing that it does not accept.
 *
 * @param refuse makes the error out of whole sentences that say where, what was seen and what is accepted
 * @example parsed(Plan, json, (why) => new FormatError("bad-plan", `plan: ${why} Make it again.`))
 */
export function parsed<S extends v.GenericSchema>(
  schema: S,
  json: unknown,
  refuse: (why: string) => Error,
): v.InferOutput<S> {
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (result.success) return result.output;
  throw refuse(refusal(schema, result.issues[0]));
}

function refusal(schema: v.GenericSchema, issue: v.BaseIssue<unknown>): string {
  const whole = "the whole";
  const path = issue.path ?? [];
  const where = v.getDotPath(issue) ?? whole;
  const { key } = path.at(-1) ?? {};
  const holder = path.slice(0, -1).map((item) => String(item.key)).join(".") || whole;
  if (issue.type === "strict_object" && issue.expected === "never")
    return `${holder} holds ${JSON.stringify(key)}. ${suggest(String(key), keysAt(schema, path.slice(0, -1)))}`;
  if (issue.received === "undefined" && path.length > 0)
    return `${holder} has no ${JSON.stringify(key)}; accepted is one that has.`;
  const known = ACCEPTED[issue.type];
  if (!issue.message.startsWith("Invalid")) return `${where} is ${seen(issue.input)}: ${issue.message}.`;
  const accepted = typeof known === "function"
    ? known((issue as { requirement?: unknown }).requirement)
    : known ?? issue.expected?.replace(/^\((.*)\)$/, "$1").replaceAll(" | ", ", ").replace("Object", "an object");
  return `${where} is ${seen(issue.input)}; accepted is ${accepted}.`;
}

function seen(input: unknown): string {
  if (Array.isArray(input)) return `a list of ${input.length}`;
  if (typeof input === "object" && input) return "an object";
  const text = typeof input === "string" ? JSON.stringify(input) : input === undefined ? "not there" : String(input);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

interface Walked {
  wrapped?: Walked;
  entries?: Record<string, Walked & { literal?: unknown }>;
  value?: Walked;
  item?: Walked;
  key?: string;
  options?: Walked[];
}

/** the keys of the object that the path leads to */
function keysAt(schema: unknown, path: readonly { key: unknown; value: unknown }[]): string[] {
  let at = schema as Walked | undefined;
  const inner = (value: unknown) => {
    while (at?.wrapped) at = at.wrapped;
    const name = at?.key as string;
    if (typeof name === "string" && at?.options)
      at = at.options.find(({ entries }) => entries?.[name]?.literal === (value as Record<string, unknown>)?.[name]);
  };
  for (const { key, value } of path) {
    inner(undefined);
    at = at?.entries?.[String(key)] ?? at?.value ?? at?.item;
    inner(value);
  }
  inner(undefined);
  return Object.keys(at?.entries ?? {});
}
