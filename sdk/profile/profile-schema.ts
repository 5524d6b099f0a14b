import * as v from "valibot";
import { parsed } from "../parsed.js";
import type { LayerProfile, Profile } from "./profile.js";

const MAX_LAYERS = 4096;
const MAX_EXPERTS = 1 << 20;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const name = v.pipe(v.string(), v.maxLength(4096));
const layer = v.looseObject({
  experts: v.pipe(count, v.minValue(1), v.maxValue(MAX_EXPERTS)),
  expertOf: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(MAX_EXPERTS)))),
  tokens: count,
  counts: v.pipe(v.array(v.pipe(v.number(), v.finite(), v.minValue(0))), v.maxLength(MAX_EXPERTS)),
});
const profile = v.object({
  version: v.literal(1),
  model: v.object({ id: name, fingerprint: name }),
  data: v.object({ id: name, fingerprint: name, seed: v.number(), options: v.optional(v.record(name, v.unknown())) }),
  tokens: v.object({ encoder: v.optional(count), decoder: count }),
  layers: v.pipe(v.record(name, layer),
    v.check((layers) => Object.keys(layers).length <= MAX_LAYERS, `at most ${MAX_LAYERS} layers are accepted`)),
  blocks: v.optional(v.record(name, v.looseObject({}))),
  weights: v.optional(v.record(name, v.looseObject({}))),
  provenance: v.optional(v.record(name, v.unknown())),
});

/**
 * A profile out of parsed JSON, or one that somebody gives: its shape, and that its numbers can have been measured.
 *
 * @param refuse makes the error from what was seen and what is accepted
 */
export function checkedProfile(json: unknown, refuse: (why: string) => Error): Profile {
  const found = parsed(profile, json, refuse) as Profile;
  for (const [id, measured] of Object.entries(found.layers)) checkLayer(id, measured, refuse);
  for (const part of [found.layers, found.blocks ?? {}, found.weights ?? {}]) {
    for (const [id, measured] of Object.entries(part)) {
      for (const [key, statistic] of Object.entries(measured)) {
        const damaged = notMeasured(statistic);
        if (damaged !== undefined) throw refuse(`${id}.${key} holds ${damaged.seen}; accepted are finite numbers.`);
      }
    }
  }
  return found;
}

function checkLayer(id: string, measured: LayerProfile, refuse: (why: string) => Error): void {
  const { experts: E, tokens, counts, expertOf } = measured;
  if (counts.length !== E) throw refuse(`${id} has ${E} experts and ${counts.length} counts.`);
  if (expertOf && expertOf.length !== E) throw refuse(`${id} has ${E} experts and ${expertOf.length} in expertOf.`);
  const most = counts.findIndex((times) => times > tokens);
  if (most >= 0) throw refuse(`${id} saw ${tokens} tokens, and expert ${most} was chosen by ${counts[most]} of them.`);
  for (const key of ["routerLogitCosine", "coactivation"]) {
    const matrix = measured[key] as unknown;
    const isSquare = (rows: unknown) =>
      Array.isArray(rows) && rows.length === E && rows.every((row) => Array.isArray(row) && row.length === E);
    if (matrix !== undefined && !isSquare(matrix))
      throw refuse(`${id}.${key} is no matrix of ${E} rows of ${E} numbers.`);
  }
  const rows = measured.meanOutput as unknown;
  const areRows = Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.length === rows[0].length);
  if (rows !== undefined && !areRows) throw refuse(`${id}.meanOutput is no matrix: its rows are lists of one length.`);
}

/** The first thing in a statistic that no measurement gives: null, NaN, infinity. Depth takes no stack. */
function notMeasured(statistic: unknown): { seen: unknown } | undefined {
  const open = [statistic];
  while (open.length > 0) {
    const at = open.pop();
    if (at === null || (typeof at === "number" && !Number.isFinite(at))) return { seen: at };
    if (typeof at === "object") { for (const value of Object.values(at)) open.push(value); }
  }
}
