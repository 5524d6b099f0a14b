import { MoeError } from "../errors.js";
import type { Changes } from "../method/method.js";
import type { LayerId } from "../model/spec.js";

/** How many of so many go. @throws MoeError `drop-out-of-range` where none would be left */
export function countOf(drop: number, of: number): number {
  const count = drop < 1 ? Math.round(drop * of) : drop;
  if (Number.isInteger(count) && count < of) return count;
  throw new MoeError("drop-out-of-range",
    `prune: drop is ${drop} of ${of} blocks that could go; accepted is a share above 0 and below 1, or a whole number `
      + `from 1 to ${of - 1}. Change drop.`);
}

/** The blocks whose input and output are most alike, the most alike first; of equals the deeper. */
export function mostAlike(could: readonly LayerId[], score: (id: LayerId) => number, drop: number): LayerId[] {
  const scores = could.map(score);
  return could.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || b - a).slice(0, countOf(drop, could.length))
    .map((i) => could[i]);
}

export function dropBlocks(ids: readonly LayerId[], block: "layer" | "attention" | "ffn"): Changes {
  return { layers: Object.fromEntries(ids.map((id) => [id, { drop: block }])) };
}
