// Runs the study, or the pieces that are named; what is there already is left. Start it in two terminals for two cores.
//
//   npm run study:mc-smoe                        every piece: models are pre-trained when they are first needed
// npm run study:mc-smoe -- scratch-1.pron-3    one piece: regime, pre-training seed, task, teacher; several in the
// order given
import { MoeError } from "../../../sdk/errors.js";
import { ready } from "../../../sdk/tensor/index.js";
import { exclusively } from "./exclusive.js";
import { type Piece, pieceName, runPiece } from "./piece.js";
import { work } from "./pretrain.js";
import { pretrainingSeeds, regimes, tasks } from "./recipe.js";

const positionals = process.argv.slice(2);
await ready();

// teachers last: after each round every model has one more
const pieces: Piece[] = Object.entries(tasks).flatMap(([task, { teachers }]) =>
  teachers.flatMap((teacher) =>
    pretrainingSeeds.flatMap((seed) => regimes.map((regime) => ({ regime, seed, task, teacher })))
  )
);
const named = new Map(pieces.map((piece) => [pieceName(piece), piece]));
const unknown = positionals.find((name) => !named.has(name));
if (unknown)
  throw new MoeError("unknown-piece",
    `study: there is no piece "${unknown}"; accepted are names such as ${pieceName(pieces[0])}, see recipe.ts.`);

for (const piece of positionals.length > 0 ? positionals.map((name) => named.get(name)!) : pieces) {
  await exclusively(`${work}/${pieceName(piece)}.piece.lock`, () => runPiece(piece));
}
