import { suite } from "uvu";
import * as assert from "uvu/assert";
import { changeLayers } from "../../sdk/method/layers-to-change.js";
import { moe } from "../../sdk/moe.js";
import { from, load } from "../../sdk/pipeline.js";
import type { MoeEvent } from "../../sdk/profile/observer.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { fixture } from "../support/shared.js";

const test = suite("a method of one's own");
const data = [{ ids: [[4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]], decoderIds: [[0, 5, 6, 9], [0, 7, 8, 4]],
  labels: [[5, 6, 9, 7], [7, 8, 4, 5]] }];

test("few lines, and it is planned, drawn, forecast, applied, scored and compared like any other", async () => {
  const halves = moe.defineMethod({
    name: "halves",
    kind: "merge",
    options: { weight: { about: "of the first of two", from: 0, to: 1 } },
    plan: (profile, { weight }) =>
      changeLayers(profile, [], ({ experts }) => ({
        slots: Array.from({ length: experts / 2 },
          (_, slot) => ({ from: [{ expert: 2 * slot, weight }, { expert: 2 * slot + 1, weight: 1 - weight }] })),
        expertOf: Array.from({ length: experts }, (_, e) => e >> 1),
      })),
  });
  assert.ok(moe.methods().some(({ name }) => name === "halves"));
  const profiled = await load(fixture("models/switch_transformers")).profile({ data });
  const planned = from(profiled).plan({ method: "halves", weight: 0.5 });
  const forecast = await planned.forecast();
  assert.match(String((await (await planned).plan![DISPLAY]()).data["text/plain"]), "Experts that remain");
  const study = await planned.apply().evaluate({ data });
  assert.is(study.evaluation!.after.cost.parameters.total, forecast.after.parameters.total);
  const comparison = await from(profiled).compare([{ arm: "own", method: halves, weight: 0.5 }, {
    arm: "by name",
    method: "halves",
    weight: 0.5,
  }], { data });
  assert.is(comparison.rows[1].scores[0].metrics.nll.value, comparison.rows[2].scores[0].metrics.nll.value);
  assert.ok((await comparison.chart().toPng()).png.length > 1000);
});

test("it may bring observers of its own, which see the data once more", async () => {
  let seen = 0;
  const loudest = moe.defineMethod({
    name: "loudest",
    kind: "prune",
    observers: () => {
      const sums: Record<string, number> = {};
      return [{ name: "loudness", see: async ({ layer, output }: MoeEvent) => {
        seen += 1;
        sums[layer] = (sums[layer] ?? 0) + output.shape[0];
      }, result: () => sums, merge: () => undefined }];
    },
    plan: (profile, { keep }) =>
      changeLayers(profile, [], ({ experts, loudness }) =>
        (loudness as number) > 0
          ? { router: { mask: Array.from({ length: experts - keep }, (_, e) =>
            e) } }
          : undefined),
  });
  const profiled = await load(fixture("models/switch_transformers")).profile({ data });
  const study = await from(profiled).prune({ method: loudest, keep: 2 });
  const layers = Object.keys(study.profile!.layers).length;
  assert.is(seen, layers * data.length);
  assert.is(Object.keys(study.plan!.layers).length, layers);
  await from(study).evaluate({ data });
  assert.is(seen, layers * data.length, "what is in the profile is not measured again");
});

test("what its table says is typed and checked; without one it reads what it is given", async () => {
  const first = moe.defineMethod({
    name: "first",
    options: { keep: { about: "experts that stay", from: 1, whole: true },
      by: { about: "", words: ["a", "b"], default: "a" } },
    plan: (profile, { keep, by }) => {
      const [count, word]: [number, "a" | "b"] = [keep, by];
      return changeLayers(profile, [], () => (word === "a" ? { router: { mask: [count] } } : undefined));
    },
  });
  const study = await load(fixture("models/switch_transformers")).profile({ data });
  const { plan } = await from(study).plan({ method: first, keep: 1 });
  assert.equal(plan!.options, { keep: 1 }, "as given");
  assert.equal(Object.values(plan!.layers)[0].router, { mask: [1] });
  const never = () => {
    // @ts-expect-error its option is a number
    from(study).plan({ method: first, keep: "one" });
    // @ts-expect-error and one of two words
    from(study).plan({ method: first, keep: 1, by: "c" });
  };
  assert.type(never, "function");
  await from(study).plan({ method: "first", keep: 0 }).then(() => assert.unreachable(),
    ({ code }) => assert.is(code, "keep-out-of-range"));
});

test.run();
