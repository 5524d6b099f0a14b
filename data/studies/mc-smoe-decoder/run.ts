// Runs the decoder study, or the pieces that are named; what is there already is left.
//
//   node --import tsx data/studies/mc-smoe-decoder/run.ts                  every piece
//   node --import tsx data/studies/mc-smoe-decoder/run.ts task-1.draw-2    one: regime, pre-training seed, draw
import { parseArgs } from "node:util";
import { MoeError } from "../../../sdk/errors.js";
import { ready } from "../../../sdk/tensor/index.js";
import { pieceName, runPiece, type Piece } from "./piece.js";
import { draws, pretrainingSeeds, regimes } from "./recipe.js";

const { positionals } = parseArgs({ allowPositionals: true });
await ready();
const pieces: Piece[] = draws.flatMap((draw) => pretrainingSeeds.flatMap((seed) => Object.keys(regimes).map((regime) => ({ regime, seed, draw }))));
const named = positionals.filter((name) => !name.startsWith("STUDY_RUN"));
const unknown = named.find((name) => !pieces.some((piece) => pieceName(piece) === name));
if (unknown) throw new MoeError("unknown-piece", `study: there is no piece "${unknown}"; accepted are names such as ${pieceName(pieces[0])}. See recipe.ts.`);
for (const piece of pieces) if (named.length === 0 || named.includes(pieceName(piece))) await runPiece(piece);
