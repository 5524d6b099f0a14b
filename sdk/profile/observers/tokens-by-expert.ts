import type { MoeEvent } from "../observer.js";

/** One expert's tokens of an event: row numbers in the event, and which of the token's K choices it was. */
export interface ExpertTokens {
  expert: number;
  rows: Int32Array;
  choices: Int32Array;
}

/**
 * Sorts an event's tokens by the router outputs that they chose, in the order of the experts; those without a token are
 * left out.
 */
export async function tokensByExpert({ choice, spec }: Pick<MoeEvent, "choice" | "spec">): Promise<ExpertTokens[]> {
  const K = choice.shape[1];
  const chosen = await choice.data();
  const rows: number[][] = Array.from({ length: spec.experts }, () => []);
  const choices: number[][] = Array.from({ length: spec.experts }, () => []);
  for (let i = 0; i < chosen.length; i++) {
    if (chosen[i] < 0) continue;
    rows[chosen[i]].push(Math.floor(i / K));
    choices[chosen[i]].push(i % K);
  }
  return rows.flatMap((
    list,
    expert,
  ) => (list.length > 0 ? [{ expert, rows: Int32Array.from(list), choices: Int32Array.from(choices[expert]) }] : []));
}
