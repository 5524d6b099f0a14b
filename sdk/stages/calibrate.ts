import { MoeError } from "../errors.js";
import type { TaskBatch } from "../evaluate/index.js";
import type { Profile } from "../profile/profile.js";
import type { Calibration, StudyState } from "./study-state.js";
import { type DataOptions, taskData } from "./task-data.js";

export interface CalibrationOptions extends DataOptions {
  /** tokens to see at most, encoder and decoder together; items are taken in order until there are that many */
  tokens?: number;
}

/** The training items that a model is measured on. */
export async function calibrate({ opened }: StudyState, options: CalibrationOptions): Promise<Calibration> {
  const { groups, id, fingerprint } = await taskData(opened, "train", { ...options, items: options.items ?? 256 });
  const batches = limitTokens(groups.flatMap((group) => group.batches), options.tokens).map(withDecoderMask);
  return { id, fingerprint, seed: options.seed ?? 0, batches, options: told(options) };
}

/**
 * The data that a loaded profile was measured on, so that what a method lacks can be measured on it: by the options
 * that it was measured with, or as the caller gives it. Batches of the caller's own have to be given again, and are
 * missed when somebody asks for them.
 *
 * @throws MoeError `data-of-another-profile`
 */
export async function calibrationOf(
  study: StudyState,
  { data }: Profile,
  options: CalibrationOptions,
): Promise<Calibration> {
  const { given = !data.options, ...before } = data.options ?? {};
  if (given && !options.data) {
    return { ...data, get batches(): TaskBatch[] {
      throw new MoeError("data-missing",
        `profile: this needs the batches that ${data.id} were, and a profile does not hold them. Give them beside it: `
          + ".profile({ from, data }).");
    } };
  }
  const found = await calibrate(study, { ...before, ...told(options), data: options.data });
  if (found.fingerprint === data.fingerprint && found.options?.tokens === before.tokens) return found;
  throw new MoeError("data-of-another-profile",
    `profile: it was measured on ${data.id} (${data.fingerprint.slice(0, 12)}…), these items are ${found.id} `
      + `(${
        found.fingerprint.slice(0, 12)
      }…); accepted are the very same, on which more can be measured. Leave the data `
      + "out, or profile anew.");
}

/** What a caller said of the data. */
function told({ task, corpus, items, window, seed, tokens, data }: CalibrationOptions): Record<string, unknown> {
  const said = Object.entries({ task, corpus, items, window, seed, tokens }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(said), ...(data && { given: true }) };
}

/** Padding of the decoder does not count. */
export function withDecoderMask(batch: TaskBatch) {
  return { ...batch,
    ...(batch.decoderIds && { decoderMask: batch.labels.map((row) => row.map((label) => (label >= 0 ? 1 : 0))) }) };
}

function limitTokens(batches: TaskBatch[], tokens?: number): TaskBatch[] {
  if (tokens === undefined) return batches;
  if (!(tokens > 0))
    throw new MoeError("bad-tokens",
      `profile: tokens is ${tokens}; accepted is a number above 0. Leave it out to use every item.`);
  const taken: TaskBatch[] = [];
  for (let i = 0, seen = 0; i < batches.length && seen < tokens; i++) {
    taken.push(batches[i]);
    seen += batches[i].labels.flat().filter((label) => label >= 0).length
      + (batches[i].decoderIds ? (batches[i].mask ?? batches[i].ids).flat().filter((one) => one > 0).length : 0);
  }
  return taken;
}
