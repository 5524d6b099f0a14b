import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { MoeFfnSpec } from "../../sdk/model/spec.js";
import type { MergeableObserver } from "../../sdk/profile/observer.js";
import { groupNeuronsObserver, neuronMatches } from "../../sdk/profile/observers/group-neurons.js";
import { observerNamed, observerNames } from "../../sdk/profile/observers/named.js";
import { ready } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { type OracleLayer, oracleModel, replay } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("observers");
await ready();

const [E, K, D, F] = [4, 2, 5, 6];
const spec: MoeFfnSpec = {
  kind: "moe",
  experts: E,
  expertOf: [0, 1, 2, 3],
  slots: Array.from({ length: E }, () => ({ form: "dense", width: F })),
  activation: "silu",
  gated: true,
  bias: false,
  router: { kind: "softmax", topK: K, normalize: true, scale: 1, bias: false, capacity: 0 },
};
const wave = (count: number, phase: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i * i + phase + 1));
const layer: OracleLayer = {
  up: { shape: [E, F, D], values: wave(E * F * D, 1) },
  gate: { shape: [E, F, D], values: wave(E * F * D, 2) },
  down: { shape: [E, D, F], values: wave(E * D * F, 3) },
  router: { shape: [E, D], values: wave(E * D, 4) },
};

const weights = oracleModel({ "layers.0": layer }, { topK: K, normalize: true }).weights;

/** one event for each chunk of the tokens [from, to) */
async function observe(
  observer: MergeableObserver,
  tokens: { input: Float32Array; logits: Float32Array },
  cuts: number[],
): Promise<void> {
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [from, to] = [cuts[i], cuts[i + 1]];
    const { event, dispose } = replay("layers.0", spec, layer, {
      input: { shape: [to - from, D], values: tokens.input.slice(from * D, to * D) },
      logits: { shape: [to - from, E], values: tokens.logits.slice(from * E, to * E) },
    });
    await observer.see(event);
    dispose();
  }
}

/** all numbers of a result in order, however it is nested */
function numbers(value: unknown): number[] {
  if (typeof value === "number") return [value];
  return value && typeof value === "object" ? Object.values(value).flatMap(numbers) : [];
}

/** those by name, and those whose names say with what: random groups, given groups */
const makers: [string, () => MergeableObserver][] = [
  ...[...observerNames, "zip.2.1"].map((name): [string, () => MergeableObserver] => [name, () => observerNamed(name)]),
  ...neuronMatches.map((match): [string, () => MergeableObserver] => [`groupNeurons ${match}`, () =>
    groupNeuronsObserver(match, { "layers.0": [[2, 0], [1, 3]] }, weights)]
  ),
];

for (const [name, make] of makers) {
  // a matching jumps where two correlations tie, and few tokens tie often: many tokens, and always the same
  const matching = /^(groupNeurons|zip|activationMatching)/.test(name);
  test(`${name}: chunks and shards change nothing beyond rounding`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: matching ? 16 : 2, max: 24 }), fc.integer(),
        fc.array(fc.nat(23), { maxLength: 4 }), async (N, seed, marks) => {
        const tokens = { input: wave(N * D, seed % 1000), logits: wave(N * E, (seed % 997) + 0.5) };
        const cuts = [...new Set([0, ...marks.filter((mark) => mark < N), N])].sort((a, b) => a - b);
        const split = cuts[Math.floor(cuts.length / 2)];
        const [whole, chunked, first, second] = [0, 1, 2, 3].map(make);
        await noLeaks(async () => {
          await observe(whole, tokens, [0, N]);
          await observe(chunked, tokens, cuts);
          await observe(first, tokens, cuts.filter((cut) => cut <= split));
          await observe(second, tokens, cuts.filter((cut) => cut >= split));
        });
        first.merge(second);
        const expected = numbers(whole.result());
        assert.ok(expected.length > 0);
        // float32 sums of at most 24 numbers near 1, in another order
        close(numbers(chunked.result()), expected, 2e-5, `${name} in chunks ${cuts}`);
        close(numbers(first.result()), expected, 2e-5, `${name} of two shards ${cuts}`);
      }),
      { numRuns: 6, ...(matching && { seed: 1 }) },
    );
  });
}

test("coactivation: the diagonal counts each expert, a row sums to K times it", async () => {
  const observer = observerNamed("coactivation");
  await observe(observer, { input: wave(10 * D, 0), logits: wave(10 * E, 9) }, [0, 10]);
  const matrix = observer.result()["layers.0"] as number[][];
  matrix.forEach((row, e) => assert.is(row.reduce((a, b) => a + b, 0), K * row[e]));
  assert.is(matrix.reduce((sum, row, e) => sum + row[e], 0), 10 * K);
});

test("an unknown statistic is refused with the nearest name", () => {
  assert.throws(() => observerNamed("meanOutputs"), /Did you mean "meanOutput"/);
});

test.run();
