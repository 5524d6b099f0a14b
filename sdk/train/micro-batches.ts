import type { TrainingBatch } from "../model/batch.js";

/**
 * A batch in so many parts of whole rows, each with its share of the loss: gradients of the parts, weighted by their
 * shares, add up to those of the whole.
 */
export function microBatches(
  batch: TrainingBatch,
  parts: number,
  weighting: "token" | "example" = "token",
): { batch: TrainingBatch; share: number; rows: [start: number, end: number] }[] {
  const B = batch.ids.length, size = Math.ceil(B / parts);
  const asked = (rows: number[][]) =>
    weighting === "example"
      ? rows.length
      : rows.reduce((sum, row) => sum + row.filter((label) => label >= 0).length, 0);
  const all = asked(batch.labels);
  return Array.from({ length: Math.ceil(B / size) }, (_, at) => {
    const rows: [number, number] = [at * size, Math.min(B, (at + 1) * size)];
    const part = Object.fromEntries(
      Object.entries(batch).map(([key, value]) => [key, (value as number[][] | undefined)?.slice(...rows)]),
    ) as unknown as TrainingBatch;
    return { batch: part, share: all === 0 ? 0 : asked(part.labels) / all, rows };
  }).filter(({ share }) => share > 0);
}
