// Compares the models of a folder with the outputs of transformers that lie beside them: see held-out-models.py.
// usage: node --import tsx .ci/same-as-transformers.ts FOLDER [NAME ...]
import { readdirSync } from "node:fs";
import { test } from "uvu";
import { sameAsTransformers } from "../test/support/same-as-transformers.js";

const [folder, ...names] = process.argv.slice(2);
sameAsTransformers(names.length ? names : readdirSync(folder).sort(), folder);

test.run();
