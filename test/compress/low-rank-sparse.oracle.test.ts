import { suite } from "uvu";
import * as assert from "uvu/assert";
import { releasedRank } from "../../sdk/compress/released-rank.js";
import { RowPruner } from "../../sdk/compress/row-pruner.js";
import { sparsityAt } from "../../sdk/compress/sparsity-schedule.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { factorise } from "../../sdk/tensor/linalg/factorise.js";
import { matrix as matrixOf } from "../../sdk/tensor/linalg/matrix.js";
import { svd } from "../../sdk/tensor/linalg/svd.js";
import { close } from "../support/close.js";
import { oracle } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("low rank + sparse against the official code");
await ready();

const found = await oracle("mc-smoe", "losparse");
if (found) {
  const { json, tensors } = found;

  for (const matrix of ["wi", "wo"]) {
    test(`${matrix}: U V + S`, () => {
      const { shape, values } = tensors.get(`${matrix}.W`)!;
      const { u, v, s } = factorise(values, shape as [number, number], json.rank_asked);
      close(s, tensors.get(`${matrix}.S`)!.values, 1e-5, "S");
      assert.is(json[`${matrix}.reduced_rank`], json.rank_asked);
      const { s: singular } = svd(matrixOf(values, shape[0], shape[1]));
      close(singular, tensors.get(`${matrix}.singular_values`)!.values, 1e-5, "singular values");
      // the sign of a column of U and its row of V is open
      const [L, R] = [tensors.get(`${matrix}.L`)!.values, tensors.get(`${matrix}.R`)!.values];
      const rank = json.rank_asked;
      for (let k = 0; k < rank; k++) {
        const column = (values: Float32Array) => Array.from({ length: shape[0] }, (_, i) => values[i * rank + k]);
        const sign = Math.sign(column(u).reduce((sum, value, i) => sum + value * column(L)[i], 0));
        close(column(u).map((value) => value * sign), column(L), 1e-5, `column ${k} of U`);
        close(Array.from(v.subarray(k * shape[1], (k + 1) * shape[1]), (value) => value * sign),
          R.subarray(k * shape[1], (k + 1) * shape[1]), 1e-5, `row ${k} of V`);
      }
      const product = (i: number, j: number) =>
        Array.from({ length: rank }, (_, k) => u[i * rank + k] * v[k * shape[1] + j]).reduce((a, b) => a + b, 0);
      close(Array.from(values, (_, n) => product(Math.floor(n / shape[1]), n % shape[1]) + s[n]), values, 1e-6, "W");
    });
  }

  test("wi: what the three factors give on the recorded input", () => {
    const [{ shape, values }, input, output] = ["wi.W", "input", "wi.output"].map((name) => tensors.get(name)!);
    const { u, v, s } = factorise(values, shape as [number, number], json.rank_asked);
    const [F, D] = shape, r = json.rank_asked;
    const given = Array.from({ length: input.shape[0] }, (_, n) =>
      Array.from({ length: F }, (_, f) => {
        const x = input.values.subarray(n * D, (n + 1) * D);
        const low = Array.from({ length: r }, (_, k) => x.reduce((sum, value, d) => sum + value * v[k * D + d], 0));
        return low.reduce((sum, value, k) => sum + value * u[f * r + k], 0)
          + x.reduce((sum, value, d) => sum + value * s[f * D + d], 0);
      }));
    close(given.flat(), output.values, 1e-5);
  });

  test("the schedule", () => {
    for (const [name, steps] of Object.entries<[number, number, boolean][]>(json.schedule)) {
      const [total, warmup, keep] = name.match(/[\d.]+/g)!.map(Number);
      // the authors' settings: Ti is one warm-up, Tf four
      for (const [step, expected, prune] of steps) {
        const at = sparsityAt(step, { steps: total, keep, start: warmup, settle: 4 * warmup });
        close([at.keep], [expected], 1e-12, `${name} at ${step}`);
        assert.is(at.prune, prune, `${name} at ${step}`);
      }
    }
  });

  test("ranks that the released code turns into r + 1", () => {
    for (const [shape, { r_that_become_r_plus_1: raised }] of Object.entries<{ r_that_become_r_plus_1: number[] }>(
      json.rank_by_shape,
    )) {
      const [width, expertWidth] = shape.match(/\d+/g)!.map(Number);
      const found = Array.from({ length: 64 }, (_, i) => i + 1).filter((rank) =>
        releasedRank(rank, width, expertWidth) === rank + 1
      );
      assert.equal(found, raised, shape);
    }
  });

  test("the row pruner, step by step on recorded gradients", () =>
    noLeaks(async () => {
      const { config, total_step, lr, steps } = json.pruner;
      const names = Object.keys(steps[0].zero_rows);
      const initial = names.map((name) =>
        tf.tensor(tensors.get(`pruner.${name}.init`)!.values, tensors.get(`pruner.${name}.init`)!.shape)
      );
      const weights = initial.map((tensor) => tf.variable(tensor));
      tf.dispose(initial);
      const pruner = new RowPruner({
        steps: total_step,
        keep: config.final_threshold,
        start: config.initial_warmup * config.warmup_steps,
        settle: config.final_warmup * config.warmup_steps,
        beta: config.beta1,
      });
      for (const expected of steps) {
        const gradients = names.map((name, i) =>
          tf.tensor(tensors.get(`pruner.${name}.grad.${String(expected.step).padStart(2, "0")}`)!.values,
            weights[i].shape)
        );
        weights.forEach((weight, i) => tf.tidy(() => weight.assign(tf.sub(weight, tf.mul(gradients[i], lr)))));
        const report = await pruner.step(expected.step,
          Object.fromEntries(names.map((name, i) => [name, { weight: weights[i], gradient: gradients[i] }])));
        close([report.keep], [expected.remaining_ratio], 1e-6, `q(${expected.step})`);
        if (expected.mask_threshold === null) assert.is(report.threshold, undefined);
        else {
          close([report.threshold!], [expected.mask_threshold], 1e-6, `threshold at ${expected.step}`);
          assert.equal(report.zeroRows, expected.zero_rows, `rows at ${expected.step}`);
        }
        tf.dispose(gradients);
      }
      for (const [i, name] of names.entries()) {
        close(await weights[i].data(), tensors.get(`pruner.${name}.final`)!.values, 1e-5, `${name} at the end`);
        const importance = pruner.importance(name);
        close(await importance.data(), tensors.get(`pruner.${name}.exp_avg_ipt`)!.values, 1e-6,
          `importance of ${name}`);
        importance.dispose();
      }
      pruner.dispose();
      tf.dispose(weights);
    }));
}

test.run();
