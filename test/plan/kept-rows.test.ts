import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { lowRankSparse } from "../../sdk/compress/low-rank-sparse.js";
import { planWith } from "../../sdk/methods.js";
import { cost } from "../../sdk/model/cost.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { RowBudget } from "../../sdk/plan/kept-rows.js";
import { lower } from "../../sdk/plan/lower.js";
import { dense, switchBase32 } from "../evaluate/switch-base-32.js";

test(
  "whatever the matrices, the share of all numbers is kept to less than a row, and no matrix gets more "
    + "rows than it has",
  () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })), { minLength: 1,
          maxLength: 12 }), (keep, matrices) => {
        const budget = new RowBudget();
        let [kept, all] = [0, 0];
        for (const [rows, columns] of matrices) {
          const taken = budget.take(rows, columns, keep);
          assert.ok(Number.isInteger(taken) && taken >= 0 && taken <= rows);
          kept += taken * columns;
          all += rows * columns;
        }
        assert.ok(Math.abs(kept - keep * all) <= 40);
      }),
    );
  },
);

test("MC-SMoE of switch-base-32, the plan and not the formula, is the paper's 381M: 380.7M", async () => {
  const merged = await switchBase32((layer) => dense(layer === 0 ? 32 : 8));
  const layers = Object.fromEntries(
    moeLayers(merged).map(
      ({ id, ffn }) => [id, { experts: 32, expertOf: ffn.expertOf, tokens: 1, counts: new Array(32).fill(1) }]
    ),
  );
  const profile = { version: 1 as const, model: { id: "", fingerprint: "f" },
    data: { id: "", fingerprint: "", seed: 0 }, tokens: { decoder: 1 }, layers };
  const { spec: planned } = lower(merged, await planWith(lowRankSparse, profile, { rank: 32, keep: 0.1 }));
  assert.is((cost(planned).parameters.total / 1e6).toFixed(1), "380.7");
});

test.run();
