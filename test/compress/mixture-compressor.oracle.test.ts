import fc from "fast-check";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { allocateBits } from "../../sdk/compress/allocate-bits.js";
import { costsOf } from "../../sdk/compress/mixture-compressor.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { gptqCodes } from "../../sdk/plan/fit/gptq.js";
import { bitErrorsObserver } from "../../sdk/profile/observers/bit-errors.js";
import { chosenGateMassObserver } from "../../sdk/profile/observers/chosen-gate-mass.js";
import { usageObserver } from "../../sdk/profile/observers/usage.js";
import { groupedValues, nearestGrouped } from "../../sdk/tensor/formats/grouped.js";
import type { GroupedFormat } from "../../sdk/tensor/formats/number-format.js";
import { ready } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracle, type OracleLayer, oracleModel, replay } from "../support/oracle.js";
import { shared } from "../support/shared.js";

const test = suite("mixture compressor against its authors' code");
await ready();
const found = await oracle("mixture-compressor", "mixture-compressor", "tensors");
const published = shared("fixtures/oracles/mixture-compressor/mixtral-8x7b-published.json");

/** what the released program really minimises: phi w^1.5 eps */
const released = { alpha: 1, beta: 1.5, gamma: 1 };

interface Statistics {
  activation_count: Record<string, number[]>;
  routing_weight_sum: Record<string, number[]>;
  quant_loss_1_2_3_bit: Record<string, number[][]>;
}

function allocationsAre(
  statistics: Statistics,
  expected: Record<string, Record<string, number[]>>,
  cost = released,
): number {
  let count = 0;
  for (const [bits, layers] of Object.entries(expected)) {
    for (const [layer, allocation] of Object.entries(layers)) {
      const { activation_count: counts, routing_weight_sum: mass, quant_loss_1_2_3_bit: errors } = statistics;
      const costs = costsOf({ counts: counts[layer] }, mass[layer], errors[layer], cost);
      assert.equal(allocateBits(costs, [1, 2, 3], Number(bits), [3, 2]), allocation, `layer ${layer}, ${bits} bits`);
      count += 1;
    }
  }
  return count;
}

if (published) {
  test("every allocation published for Mixtral-8x7B comes out from the published statistics", () => {
    const json = JSON.parse(readFileSync(published, "utf8"));
    const expected = json.published_allocation_by_total_bits as Record<string, Record<string, number[]>>;
    const all = Object.values(expected).reduce((sum, layers) => sum + Object.keys(layers).length, 0);
    assert.is(allocationsAre(json, expected), all);
  });
}

if (found) {
  const { json, tensors } = found;
  const of = (name: string) => tensors.get(name)!;

  test("allocations of the tiny and of the synthetic statistics, other exponents too", () => {
    allocationsAre(json.tiny, json.tiny.allocation_by_total_bits);
    allocationsAre(json.synthetic, json.synthetic.allocation_by_total_bits);
    // the released code raises the error to alpha
    if (json.tiny.allocation_alpha_2_beta_1)
      allocationsAre(json.tiny, json.tiny.allocation_alpha_2_beta_1, { alpha: 2, beta: 1, gamma: 2 });
  });

  const layers = Object.fromEntries(
    Array.from({ length: json.params.layers },
      (
        _,
        l,
      ): [string, OracleLayer] => [`layers.${l}`, { up: of(`layers.${l}.w3`), gate: of(`layers.${l}.w1`),
        down: of(`layers.${l}.w2`), router: of(`layers.${l}.router`) }]),
  );
  const model = oracleModel(layers, { topK: 2, normalize: true });

  for (const [index, id] of Object.keys(layers).entries()) {
    test(`${id}: how often, with which weights, and what each expert loses at 1, 2 and 3 bits`, async () => {
      const { ffn } = moeLayers(model.spec).find((layer) => layer.id === id)!;
      const { tokens_per_batch: N, activation_count, routing_weight_sum, quant_loss_1_2_3_bit } = json.tiny;
      const input = of(`${id}.input`), logits = of(`${id}.router_logits`);
      const [usage, mass] = [usageObserver(), chosenGateMassObserver()];
      const errors: number[][] = [];
      for (let batch = 0; batch < input.shape[0] / N; batch++) {
        const some = ({ values, shape: [, width] }: typeof input) => ({ shape: [N, width],
          values: values.slice(batch * N * width, (batch + 1) * N * width) });
        const { event, dispose } = replay(id, ffn, layers[id], { input: some(input), logits: some(logits) });
        // the released code adds up the norms of its batches
        const one = bitErrorsObserver(model, json.params.group);
        for (const observer of [usage, mass, one]) await observer.see(event);
        dispose();
        one.result()[id].forEach((row, e) => (errors[e] = row.map((value, j) => value + (errors[e]?.[j] ?? 0))));
      }
      assert.equal((usage.result() as Record<string, { counts: number[] }>)[id].counts, activation_count[index]);
      close(mass.result()[id], routing_weight_sum[index], 1e-5, "weights");
      errors.forEach((row, e) => close(row, quant_loss_1_2_3_bit[index][e], 1e-4, `expert ${e}`));
    });
  }

  for (const name of [...tensors.keys()].filter((name) => /^round_to_nearest\.\d+bit\.W$/.test(name))) {
    test(`${name}: the rounding that errors are measured with`, () => {
      const bits = Number(/(\d+)bit/.exec(name)![1]);
      const { values: W, shape } = of("gptq.W");
      const format: GroupedFormat = { kind: "grouped", bits: bits as 1, group: json.params.group,
        zero: bits === 1 ? "none" : "integer", scales: "F32" };
      close(groupedValues(nearestGrouped(W, shape, format), shape, format), of(name).values, 1e-5, name);
    });
  }

  for (const name of Object.keys(json.gptq).filter((name) => name.includes("packed"))) {
    test(`gptq ${name}`, () => {
      const [, width, group, block] = /^(\d)bit\.group(-?\d+)\.packed\.block(\d+)$/.exec(name)!;
      const { values: W, shape } = of("gptq.W");
      const bits = Number(width) as 1;
      const format: GroupedFormat = { kind: "grouped", bits, group: Math.max(0, Number(group)),
        zero: bits === 1 ? "none" : "real", scales: "F16" };
      const codes = gptqCodes(W.slice(), shape as [number, number], of("gptq.H").values, format, { block: Number(block),
        search: "around", withinBlock: bits > 3 });
      const scales = of(`gptq.${name}.scale`).values, zeros = of(`gptq.${name}.zero`).values;
      const expected = of(`gptq.${name}`).values;
      const groups = scales.length / shape[0], size = shape[1] / groups;
      const right = expected.map((code, i) => {
        const at = Math.floor(i / shape[1]) * groups + Math.floor(i % shape[1] / size);
        return scales[at] * (code - zeros[at]);
      });
      const values = groupedValues(codes, shape, format);
      // the released code looks for ranges in halves, where neighbours tie: then other codes are as near
      const same = codes.codes.reduce((sum, code, i) => sum + (code === expected[i] ? 1 : 0), 0);
      assert.ok(same >= (bits === 1 ? 1 : 0.85) * expected.length, `${same} of ${expected.length} codes`);
      const [own, theirs] = [values, right].map((found) => outputError(found, W, shape[1], of("gptq.H").values));
      assert.ok(own <= 1.1 * theirs, `error ${own}, released ${theirs}`);
    });
  }
}

/** sum over rows of d^T H d, d what a row is wrong by */
function outputError(found: ArrayLike<number>, W: ArrayLike<number>, width: number, H: ArrayLike<number>): number {
  let sum = 0;
  for (let r = 0; r < W.length / width; r++)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) {
        const [a, b] = [r * width + i, r * width + j];
        sum += (found[a] - W[a]) * H[i * width + j] * (found[b] - W[b]);
      }
  return sum;
}

test("the program is exact: no allocation within the budget that keeps the rules costs less", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 0, max: 8 }),
      fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 15, maxLength: 15 }), (n, extra, numbers) => {
      const costs = Array.from({ length: n }, (_, i) => numbers.slice(3 * i, 3 * i + 3));
      const budget = Math.min(3 * n, n + 3 + extra);
      const found = allocateBits(costs, [1, 2, 3], budget, [3, 2]);
      const cost = (widths: number[]) => widths.reduce((sum, width, i) => sum + costs[i][width - 1], 0);
      const all = Array.from({ length: 3 ** n }, (_, at) =>
        Array.from({ length: n }, (_, i) => 1 + Math.floor(at / 3 ** i) % 3)).filter((widths) =>
          widths.includes(2) && widths.includes(3) && widths.reduce((a, b) => a + b, 0) <= budget
        );
      assert.ok(all.some((widths) => widths.join() === found.join()));
      assert.ok(all.every((widths) => cost(widths) >= cost(found) - 1e-9));
    }),
  );
  assert.throws(() => allocateBits([[1, 1, 1]], [1, 2, 3], 0), /budget/);
});

test.run();
