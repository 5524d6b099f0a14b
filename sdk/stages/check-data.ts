import { MoeError } from "../errors.js";
import type { TaskBatch } from "../evaluate/index.js";
import type { ModelSpec } from "../model/spec.js";
import { shown } from "../shown.js";

/** Of the options of data, what is checked. */
export interface CheckedData {
  data?: TaskBatch[];
  items?: number;
  window?: number;
  tokens?: number;
  seed?: number;
}

/**
 * Checks a caller's own batches and the sizes of data before anything runs.
 *
 * @throws MoeError `bad-batch` with the place, `bad-option`
 */
export function checkData(verb: string, { data, items, window, tokens, seed }: CheckedData, spec: ModelSpec): void {
  for (const [name, value] of Object.entries({ items, window, tokens }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new MoeError("bad-option", `${verb}: ${name} is ${shown(value)}; accepted is a whole number from 1.`);
  if (seed !== undefined && !Number.isSafeInteger(seed))
    throw new MoeError("bad-option", `${verb}: seed is ${shown(seed)}; accepted is a whole number.`);
  if (data === undefined) return;
  if (!Array.isArray(data) || data.length === 0)
    throw new MoeError("bad-batch",
      `${verb}: data holds no batch; accepted is a list of at least one { ids, labels }.`);
  data.forEach((batch, index) => checkBatch(`${verb}: batch ${index}`, batch, spec, verb !== "profile"));
}

function checkBatch(where: string, batch: TaskBatch, { encoder, vocab }: ModelSpec, needsLabels: boolean): void {
  const { ids, mask, decoderIds, labels } = batch ?? {};
  const refuse = (seen: string, accepted: string) =>
    new MoeError("bad-batch", `${where} ${seen}; accepted is ${accepted}.`);
  const rows = (
    name: string,
    value: unknown,
    like: string,
    lengths: number[] | undefined,
    isRight: (one: unknown) => boolean,
    accepted: string,
  ) => {
    if (!Array.isArray(value) || value.length === 0 || !value.every(Array.isArray))
      throw refuse(`has ${name} that are ${shown(value)}`, "a list of rows");
    if (lengths && value.length !== lengths.length)
      throw refuse(`has ${value.length} rows of ${name} and ${lengths.length} of ${like}`, "one for each");
    (value as unknown[][]).forEach((row, b) => {
      if (lengths && row.length !== lengths[b])
        throw refuse(`has ${row.length} ${name} and ${lengths[b]} ${like} in row ${b}`, "one for each");
      const wrong = row.findIndex((one) => !isRight(one));
      if (wrong >= 0) throw refuse(`has ${name}[${b}][${wrong}] = ${shown(row[wrong])}`, accepted);
    });
    return (value as unknown[][]).map((row) => row.length);
  };
  const isId = (one: unknown) => Number.isInteger(one) && (one as number) >= 0 && (one as number) < vocab;
  const isBit = (one: unknown) => one === 0 || one === 1 || typeof one === "boolean";
  const [id, bit] = [`a whole number from 0 to ${vocab - 1}`, "1 for real tokens and 0 for padding"];
  const read = rows("ids", ids, "", undefined, isId, id);
  if (mask !== undefined) rows("mask", mask, "ids", read, isBit, bit);
  const written = encoder && decoderIds !== undefined
    ? rows("decoderIds", decoderIds, "", undefined, isId, id)
    : undefined;
  if (written && written.length !== read.length)
    throw refuse(`has ${written.length} rows of decoderIds and ${read.length} of ids`, "one for each");
  if (labels !== undefined || needsLabels || written)
    rows("labels", labels, written ? "decoderIds" : "ids", written ?? read,
      (one) => isId(one) || (Number.isInteger(one) && (one as number) < 0), `${id}, or -1 where nothing is asked`);
}
