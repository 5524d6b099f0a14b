import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withChanges } from "../../../sdk/checkpoint/changed-layers.js";
import { expertTensors } from "../../../sdk/model/expected-tensors.js";
import { moeLayers } from "../../../sdk/model/spec.js";
import { nanoMoe } from "../../support/nano-moe.js";

const test = suite("forms of matrices");
const sdk = fileURLToPath(new URL("../../../sdk", import.meta.url));

test("a form is named by its type, its file, what plans say, and its method", () => {
  const files = readdirSync(sdk, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const naming = files.filter((name) =>
    readFileSync(join(sdk, name), "utf8").split("\n").some((line) =>
      line.includes("low-rank-sparse") && !/^import .* from |^} from /.test(line)
    )
  );
  assert.equal(naming.sort(), ["compress/low-rank-sparse.ts", "model/form/low-rank-sparse.ts",
    "model/form/matrix-form.ts", "plan/slot-form.ts"]);
});

test("experts as folders named them before have the same tensors", () => {
  const { spec } = nanoMoe({ gated: true, bias: true });
  const slot = { form: "low-rank-sparse", width: 8, rank: 2, rows: { up: 3, gate: 0, down: 6 } };
  const changed = withChanges(spec, { version: 2,
    layers: { "layers.0": { ffn: { slots: [slot, slot, slot, slot] } } } });
  const [{ ffn }] = moeLayers(changed);
  assert.equal(expertTensors("e", ffn.slots[1], ffn, 6).map(({ name, shape }) => `${name} ${shape.join("x")}`), [
    "e.gate.u 8x2",
    "e.gate.v 2x6",
    "e.gate.bias 8",
    "e.up.u 8x2",
    "e.up.v 2x6",
    "e.up.s 3x6",
    "e.up.s.rows 3",
    "e.up.bias 8",
    "e.down.u 6x2",
    "e.down.v 2x8",
    "e.down.s 6x8",
    "e.down.bias 6",
  ]);
});

test.run();
