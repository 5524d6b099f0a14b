import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../../sdk/pipeline.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { close } from "../support/close.js";
import { fixture } from "../support/shared.js";

const test = suite("profiling a study");
const mixtral = () => load(fixture("models/mixtral"));

test("experts that saw too few tokens are named, wherever the study shows itself", async () => {
  const few = { data: [{ ids: [[4, 5, 6]], labels: [[5, 6, 7]] }] };
  assert.equal((await mixtral().profile(few)).warnings, [], "usage of an expert that was not chosen is exact");
  const statistics = ["usage", "meanInput"];
  const study = await mixtral().profile({ ...few, statistics });
  const [[layer, { counts }]] = Object.entries(study.profile!.layers);
  const named = `${layer}: ${counts.filter((count) => count < 8).length}`;
  assert.match(study.warnings[0], named);
  assert.match(inspect(study), named);
  assert.is(String(study), inspect(study));
  assert.match(String((await study[DISPLAY]()).data["text/html"]), named);
  const many = await mixtral().profile({
    statistics,
    data: [{
      ids: Array.from({ length: 40 },
        (_, row) => Array.from({ length: 12 }, (_, t) => 3 + ((row * 13 + t * t * 7) % 50))),
      labels: Array.from({ length: 40 }, () => new Array<number>(12).fill(5)),
    }],
  });
  assert.equal(many.warnings.length,
    Object.values(many.profile!.layers).some(({ counts }) => counts.some((count) => count < 8)) ? 1 : 0);
});

test("padding has no part in any statistic, and the size of batches changes nothing beyond rounding", async () => {
  const rows = [[4, 5, 6, 7, 8], [9, 10, 11], [12, 13, 14, 15]];
  const batch = (some: number[][], pad: number) => {
    const T = Math.max(...some.map((row) => row.length)) + pad;
    const fill = (row: number[], blank: number) => [...row, ...new Array<number>(T - row.length).fill(blank)];
    return { ids: some.map((row) => fill(row, 3)), mask: some.map((row) => fill(row.map(() => 1), 0)),
      labels: some.map((row) => fill(row.map((id) => id + 1), -1)) };
  };
  const statistics = ["usage", "routerLogits", "coactivation", "gateMass", "meanOutput", "meanInput", "meanAbsInput",
    "channelNorms", "saliency", "gateRatio", "sensitivity", "similarity.mse", "similarity.weight-feature"];
  const flat =
    (value:
      unknown): number[] => (typeof value === "number"
        ? [value]
        : value && typeof value === "object"
        ? Object.keys(value).sort().flatMap((key) => flat((value as Record<string, unknown>)[key]))
        : []);
  const measured = async (...data: ReturnType<typeof batch>[]) =>
    (await mixtral().profile({ data, statistics })).profile!.layers;
  const whole = await measured(batch(rows, 0));
  for (const other of [await measured(batch(rows, 4)),
    await measured(batch(rows.slice(0, 1), 0), batch(rows.slice(1), 2)),
    await measured(...rows.map((row) => batch([row], 1)))]) {
    for (const [id, layer] of Object.entries(whole))
      for (const [name, value] of Object.entries(layer))
        close(flat(other[id][name]), flat(value), 1e-4, `${id} ${name}`);
  }
});

test.run();
