import type { TaskBatch } from "../../../sdk/evaluate/index.js";
import type { Model } from "../../../sdk/model/model.js";
import { moeLayers } from "../../../sdk/model/spec.js";
import { ExpertGradients } from "../../../sdk/profile/expert-gradients.js";
import { factorise } from "../../../sdk/tensor/linalg/factorise.js";

/** Rows by layer, slot and matrix, as the method "low-rank-sparse" takes them. */
type Rows = Record<string, Record<string, number[]>[]>;

/**
 * Chooses the rows of the remainder S = W - U V that stay when nothing is trained (the released code's form for
 * fairseq):
 * an entry's importance is the mean of |s dL/ds| over batches, a row's score the mean over its entries, and the most
 * important rows of all matrices together stay. As S is a part of W, dL/dS is dL/dW.
 */
export async function importantRows(
  model: Model,
  batches: readonly TaskBatch[],
  { rank, keep }: { rank: number; keep: number },
): Promise<Rows> {
  const remainders = new Map<string, { rows: number; columns: number; values: Float32Array }>();
  const matrices = moeLayers(model.spec).flatMap(({ id, ffn }) =>
    ffn.slots.flatMap((_, slot) =>
      (ffn.gated ? ["gate", "up", "down"] : ["up", "down"]).map((matrix) => ({ id, slot, matrix,
        name: `${id}.experts.${slot}.${matrix}` })
      )
    )
  );
  for (const { name } of matrices) {
    const [rows, columns] = model.weights.info(name).shape;
    remainders.set(name, { rows, columns,
      values: factorise(await model.weights.values(name), [rows, columns], rank).s });
  }
  const scores = new Map([...remainders].map(([name, { rows }]) => [name, new Float64Array(rows)]));
  for (const batch of batches) {
    const gradients = await ExpertGradients.of("gradients", model);
    await gradients.see(batch);
    const source = gradients.result();
    for (const [name, { rows, columns, values }] of remainders) {
      const slope = await source.values(name);
      const score = scores.get(name)!;
      for (let i = 0; i < rows * columns; i++)
        score[Math.floor(i / columns)] += Math.abs(values[i] * slope[i]) / columns;
    }
    gradients.dispose();
  }

  const ranked = [...scores].flatMap(([name, each]) =>
    Array.from(each, (score, row) => ({ name, row, score, entries: remainders.get(name)!.columns }))
  ).sort((a, b) => b.score - a.score);
  let left = keep * ranked.reduce((sum, { entries }) => sum + entries, 0);
  const kept = new Map<string, number[]>([...scores.keys()].map((name) => [name, []]));
  for (const { name, row, entries } of ranked) {
    if ((left -= entries) < 0) break;
    kept.get(name)!.push(row);
  }
  const rows: Rows = {};
  for (const { id, slot, matrix, name } of matrices)
    ((rows[id] ??= [])[slot] ??= {})[matrix] = kept.get(name)!.sort((a, b) => a - b);
  return rows;
}
