import { test } from "uvu";
import * as assert from "uvu/assert";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Plan } from "../../../sdk/plan/plan.js";
import type { Profile } from "../../../sdk/profile/profile.js";
import type { Chart } from "../../../sdk/view/chart.js";
import { barsByLayer, beforeAfter, grouping, intervalForest, lossCurve, qualitySize, stableRankChange,
  usageHeatMap } from "../../../sdk/view/charts/index.js";
import { renderSvg } from "../../../sdk/view/render.js";
import { ANY_PAGE } from "../../../sdk/view/theme.js";
import { DARK } from "../dark-theme.js";

const profile = (counts: Record<string, number[]>): Profile => ({
  version: 1,
  model: { id: "m", fingerprint: "f" },
  data: { id: "d", fingerprint: "f", seed: 0 },
  tokens: { decoder: 10 },
  layers: Object.fromEntries(
    Object.entries(counts).map(([layer, counts]) => [layer, { experts: counts.length, tokens: 10, counts }]),
  ),
});
const switchProfile = () =>
  profile({ "encoder.layers.0": [5, 5, 5, 5], "encoder.layers.2": [8, 1, 1, 0], "layers.0": [0, 0, 10, 0],
    "layers.10": [4, 4, 2, 0] });
const plan = (): Plan => ({
  version: 1,
  for: "f",
  method: "m-smoe",
  options: {},
  layers: {
    "encoder.layers.2": {
      slots: [{ from: [{ expert: 0, weight: 0.8 }, { expert: 3, weight: 0 }] }, {
        from: [{ expert: 2, weight: 0.5 }, { expert: 1, weight: 0.5 }],
      }],
      expertOf: [0, 1, 1, 0],
    },
    "layers.0": { router: { mask: [0, 3] } },
  },
});
const samples = (): Record<string, Chart> => ({
  usage: usageHeatMap(switchProfile()),
  "usage by task": usageHeatMap({ pron: switchProfile(), spam: switchProfile() }),
  grouping: grouping(plan(), { profile: switchProfile() }),
  quality: qualitySize([{ arm: "full", size: 3.68e6, quality: 40, low: 38, high: 42 }, { arm: "a", size: 1.9e6,
    quality: 38, low: 37, high: 39 }, { arm: "b", size: 1.9e6, quality: 38, low: 37, high: 39 }], { scale: "log" }),
  "before and after": beforeAfter([{ task: "pron", arm: "before", value: 40.4, error: 2.4 }, { task: "pron",
    arm: "after", value: 37.8, error: 2.3 }], { quality: "exact match (%)" }),
  loss: lossCurve({ train: Array.from({ length: 5000 }, (_, step) => ({ step, loss: 5 / (1 + step) })),
    dev: [{ step: 0, loss: 5 }, { step: 4999, loss: 1 }] }),
  forest: intervalForest([{ claim: "a", difference: 2, low: 1, high: 3 }, { claim: "b", difference: 0, low: -1,
    high: 1 }, { claim: "c", difference: -2, low: -3, high: -1 }]),
  rank: stableRankChange([{ arm: "m-smoe", change: -0.1 }, { arm: "m-smoe", change: -0.06 }, { arm: "mean",
    change: -0.2 }]),
  bars: barsByLayer([{ layer: "encoder.layers.0", value: 4 }, { layer: "layers.0", value: 2 }], {
    value: "experts that remain",
  }),
});
const json = (chart: Chart) => JSON.parse(JSON.stringify(chart.spec));

for (const [name, chart] of Object.entries(samples())) {
  test(`${name}: draws without a warning, in no colour that a dark page hides`, async () => {
    const warnings: unknown[] = [];
    const logger = { level: () => logger, error: (...words: unknown[]) => (warnings.push(words), logger),
      warn: (...words: unknown[]) => (warnings.push(words), logger), info: () => logger, debug: () => logger };
    compile(chart.spec, { logger: logger as never });
    assert.equal(warnings, []);
    const svg = await renderSvg(chart.spec, { background: "#111", config: DARK as never });
    const texts = [...svg.matchAll(/<text ([^>]*)>([^<]+)/g)];
    assert.ok(texts.length > 3);
    const inCells = name === "usage";
    const hidden = texts.filter(([, attributes, text]) =>
      /fill="(black|#000)"/.test(attributes) && !(inCells && /^\d+$/.test(text))
    );
    assert.equal(hidden.map(([, , text]) => text), []);
    assert.not.match(svg, /NaN|undefined/);
    assert.not.match(JSON.stringify(chart.spec), /"background"|"container"/);
    assert.match(chart.finding, /^[^\n]+\.$/);
  });
}

test("on a page that may be white or dark: no background, and one grey for all words outside of cells", async () => {
  const grey = ANY_PAGE.config.title.color;
  const light = (hex: string) =>
    [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) => ((part + 0.055) / 1.055) ** 2.4)
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a: string, b: string) =>
    (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  for (const page of ["#ffffff", "#111111"]) assert.ok(contrast(grey, page) > 4, `${page}: ${contrast(grey, page)}`);
  const { usage, grouping, "before and after": bars } = samples();
  for (const chart of [usage, grouping, bars]) {
    const svg = await renderSvg(chart.spec, ANY_PAGE as never);
    assert.not.match(svg, /<rect[^>]*fill="white"/);
    const words = [...svg.matchAll(/<text [^>]*fill="([^"]+)"[^>]*>([^<]*[a-z][^<]*)</g)];
    assert.ok(words.length > 2);
    assert.equal(words.filter(([, fill]) => fill !== grey).map(([, , text]) => text), []);
  }
});

test("charts of nothing draw and say so", async () => {
  const empty = [usageHeatMap([]), grouping([]), qualitySize([]), beforeAfter([]), lossCurve({}), intervalForest([]),
    stableRankChange([]), barsByLayer([], { value: "bytes" })];
  for (const chart of empty) assert.match(await chart.toSvg(), /^<svg/);
});

test("usage: rows in running order, shares of each layer in percent, one map a task", () => {
  const { data, encoding, width } = json(samples().usage);
  assert.equal(encoding.y.sort, ["encoder.layers.0", "encoder.layers.2", "layers.0", "layers.10"]);
  assert.type(width, "number");
  assert.equal(
    data.values.filter(({ layer }: { layer: string }) => layer === "encoder.layers.2").map(
      ({ share }: { share: number }) => share
    ),
    [80, 10, 10, 0],
  );
  const facets = json(samples()["usage by task"]);
  assert.equal(facets.facet.sort, ["pron", "spam"]);
  assert.is(facets.data.values.length, 32);
  assert.match(samples().usage.finding,
    /narrowest with in effect 1\.0 of 4 experts in layers\.0, widest with 4\.0 of 4 experts in encoder\.layers\.0/);
  assert.equal(json(usageHeatMap(profile({ "layers.3": [1, 1] }))).encoding.y.sort, ["layers.3"]);
});

test("grouping: a slot's leader is its first source, the others follow by use, masked experts are dropped", () => {
  const experts = json(samples().grouping).layer[1].data.values as { layer: string; expert: number; leader: unknown;
    role: string }[];
  const of = (layer: string) =>
    experts.filter((expert) => expert.layer === layer).map(({ expert, leader, role }) => [expert, leader, role]);
  assert.equal(of("encoder.layers.2"), [[0, 0, "leader"], [3, 0, "member"], [2, 2, "leader"], [1, 2, "member"]]);
  assert.equal(of("layers.0"), [[2, 2, "leader"], [1, 1, "leader"], [0, "none", "dropped"], [3, "none", "dropped"]]);
  assert.is(samples().grouping.finding, "Experts that remain: encoder.layers.2 2 of 4, layers.0 2 of 4.");
});

test("grouping: the experts of a group stand side by side, groups apart, nothing on anything", () => {
  const [bands, experts] = json(samples().grouping).layer.map(({ data }: { data: { values: unknown } }) => data.values);
  for (const layer of ["encoder.layers.2", "layers.0"]) {
    const places = experts.filter((expert: { layer: string }) => expert.layer === layer).map(
      ({ position }: { position: number }) => position
    );
    places.slice(1).forEach((place: number, i: number) => assert.ok(place - places[i] >= 1));
  }
  assert.equal(
    bands.filter((band: { layer: string }) => band.layer === "encoder.layers.2").map(
      ({ from, to }: { from: number; to: number }) => Math.round((to - from) * 1e6) / 1e6
    ),
    [2, 2],
  );
});

test("quality: arms of one size stand side by side around it, each label free of the others", () => {
  const values = json(samples().quality).data.values as { arm: string; shift: number; labelX: number;
    labelY: number }[];
  const [a, b] = ["a", "b"].map((arm) => values.find((value) => value.arm === arm)!);
  assert.is(a.shift, -b.shift);
  assert.ok(a.shift !== 0);
  assert.ok(Math.abs(a.labelY - b.labelY) >= 14 || Math.abs(a.labelX - b.labelX) > 12);
  assert.match(samples().quality.finding,
    /^The best of the smaller arms is a: 38 at 1\.90M parameters, against 40 at 3\.68M/);
});

test("quality: arms moved aside are told of, those that are not are not; no two of nine look alike", async () => {
  assert.match(await samples().quality.toSvg(), />Arms of one size stand side by side around it\.</);
  const nine = qualitySize(Array.from({ length: 9 }, (_, i) => ({ arm: `arm ${i}`, size: 1e6 * (1 + i), quality: i })));
  const svg = await nine.toSvg();
  assert.not.match(svg, /side by side/);
  const points = [
    ...svg.matchAll(
      /<path aria-label="[^"]*arm: [^>]*aria-roledescription="point"[^>]* d="([^"]+)"[^>]* fill="([^"]+)"/g,
    ),
  ];
  assert.is(points.length, 9);
  assert.is(new Set(points.map(([, shape, color]) => `${shape} ${color}`)).size, 9);
});

test("axes of bars begin with a label at zero, for bars of zero as well", async () => {
  const zero = beforeAfter([{ task: "moby-dick", arm: "before", value: 0, error: 0 }]);
  const layers = barsByLayer([{ layer: "layers.0", value: 0 }], { value: "error" });
  for (const chart of [zero, layers, samples().bars, samples()["before and after"], samples().loss]) {
    const svg = await chart.toSvg();
    assert.match(svg, />0(\.0)?</);
    assert.not.match(svg, />0\.00/);
  }
});

test("quality: sizes on the axis are B for billions of parameters and GB for bytes", async () => {
  const svg = (sizeUnit: "parameters" | "bytes") =>
    qualitySize([{ arm: "full", size: 7e9, quality: 1 }, { arm: "half", size: 3e9, quality: 0 }], { sizeUnit }).toSvg();
  assert.match(await svg("parameters"), />4B</);
  assert.match(await svg("bytes"), />4GB</);
});

test("before and after: errors reach one standard error to both sides", () => {
  const { data } = json(samples()["before and after"]);
  assert.equal(data.values[0], { task: "pron", arm: "before", value: 40.4, written: "40.4 ± 2.4", mean: "40.4", low: 38,
    high: 42.8 });
});

test("loss: a long run is thinned, a short one not, both to their ends", () => {
  const values = json(samples().loss).data.values as { run: string; step: number }[];
  const steps = (run: string) => values.filter((value) => value.run === run).map(({ step }) => step);
  assert.is(steps("train").length, 400);
  assert.equal([steps("train")[0], steps("train").at(-1)], [0, 4999]);
  assert.equal(steps("dev"), [0, 4999]);
  assert.is(
    json(lossCurve({ run: [{ step: 0, loss: NaN }, { step: 1, loss: 0 }, { step: 2, loss: 1 }] }, { scale: "log" }))
      .data.values.length,
    1,
  );
});

test("forest: the verdict follows the interval unless it is given", () => {
  const values = json(samples().forest).data.values as { verdict: string; written: string }[];
  assert.equal(values.map(({ verdict }) => verdict), ["reproduced", "not resolved", "refuted"]);
  assert.is(values[0].written, "+2.0 [+1.0, +3.0]");
  assert.is(
    json(intervalForest([{ claim: "a", difference: 2, low: 1, high: 3, verdict: "not resolved" }])).data.values[0]
      .verdict,
    "not resolved",
  );
  assert.is(samples().forest.finding, "Of 3 claims 1 reproduced, 1 not resolved, 1 refuted.");
});

test("forest: long claims stand in lines, and all rows have the decimals of the narrowest interval", async () => {
  const claim =
    "similarity of router logits does no worse than that of random numbers, before and after equal recovery";
  const chart = intervalForest([{ claim, difference: 1, low: 0.9, high: 1.1 }, { claim: "b", difference: 0.00123,
    low: 0.001, high: 0.002 }, { claim: "c", difference: 2, low: 1.8, high: 2.3 }]);
  const values = json(chart).data.values as { label: string; written: string }[];
  assert.is(values[0].label.replaceAll("\n", " "), claim);
  assert.ok(values[0].label.split("\n").every((line) => line.length <= 52));
  assert.equal(values.map(({ written }) => written), ["+1.00000 [+0.90000, +1.10000]", "+0.00123 [+0.00100, +0.00200]",
    "+2.00000 [+1.80000, +2.30000]"]);
  const svg = await chart.toSvg();
  for (const line of values[0].label.split("\n")) assert.ok(svg.includes(`>${line}<`), line);
});

test("findings give the numbers that the picture shows", () => {
  const { rank, bars } = samples();
  assert.is(rank.finding, "Mean change of stable rank: m-smoe -8.0 %, mean -20.0 %.");
  assert.is(bars.finding, "Experts that remain: from 2 in layers.0 to 4 in encoder.layers.0.");
});

test("the compiled bars start at zero and are as high as their values", () => {
  const compiled = compile(samples().bars.spec as TopLevelSpec).spec as unknown as {
    scales: { name: string; zero: boolean }[];
    marks: { type: string; encode: { update: Record<string, unknown> } }[];
  };
  assert.is(compiled.scales.find(({ name }) => name === "y")!.zero, true);
  const bar = compiled.marks[0];
  assert.is(bar.type, "rect");
  assert.equal(bar.encode.update.y, { scale: "y", field: "value" });
  assert.equal(bar.encode.update.y2, { scale: "y", value: 0 });
});

test.run();
