// Runs the decoder study, or the pieces that are named; what is there already is left.
//
//   node --import tsx data/studies/mc-smoe-decoder/run.ts                  every piece
//   node --import tsx data/studies/mc-smoe-decoder/run.ts task-1.draw-2    one: regime, pre-training seed, draw
import { MoeError } from "../../../sdk/errors.js";
import { ready } from "../../../sdk/tensor/index.js";
import { isTrained } from "./models.js";
import { runPiece } from "./piece.js";
import { allPieces, pieceName } from "./recipe.js";

await ready();
const pieces = allPieces();
const named = process.argv.slice(2);
const unknown = named.find((name) => !pieces.some((piece) => pieceName(piece) === name));
if (unknown)
  throw new MoeError("unknown-piece",
    `study: there is no piece "${unknown}"; accepted are names such as ${pieceName(pieces[0])}. See recipe.ts.`);
for (const piece of pieces) {
  if (named.length > 0 && !named.includes(pieceName(piece))) continue;
  if (isTrained("moe", piece.seed)) await runPiece(piece);
  else console.log(
      `${pieceName(piece)}: left out for now, as there is no model of seed ${piece.seed}; `
        + "data/models/train-nano-decoder.ts trains it",
    );
}
