import * as v from "valibot";

// What a family file says; its expressions are read where they are used.

const text = v.pipe(v.string(), v.maxLength(10_000));
const texts = v.array(text);
const free = v.record(v.string(), v.unknown());
const pattern = v.pipe(text, v.check(isPattern, "accepted is a regular expression"));
const layout = v.looseObject({ name: text, expert: v.optional(v.picklist(["first-axis", "rows"])),
  stack: v.optional(texts), interleaved: v.optional(v.boolean()), transpose: v.optional(v.boolean()),
  squeeze: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))), optional: v.optional(v.boolean()) });
const place = v.union([text, layout], "accepted is a name or { \"name\": … }");

/** A family file after `extends`: {@link Family}. */
export const familySchema = v.looseObject({
  family: text,
  modelTypes: texts,
  extends: v.optional(text),
  let: v.optional(v.record(v.string(), v.unknown())),
  define: v.optional(free),
  spec: v.union([text, free], "accepted is an object, or an expression"),
  storesSpec: v.optional(v.literal(true)),
  config: v.optional(text),
  names: v.record(v.string(),
    v.union([place, v.pipe(v.array(place), v.minLength(1))], "accepted is a name, { \"name\": … } or a list of them")),
  prefixes: v.optional(texts),
  copies: v.optional(v.array(pattern)),
  unused: v.optional(v.array(pattern)),
  float32: v.optional(v.looseObject({ always: v.optional(texts), F16: v.optional(texts) })),
  initialize: v.optional(free),
  save: v.optional(v.looseObject({ experts: texts, topK: texts })),
});

function isPattern(source: string): boolean {
  try {
    new RegExp(source.replaceAll(/\{\w+\}/g, "0"));
    return true;
  } catch {
    return false;
  }
}
