import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../../sdk/checkpoint/save-model.js";
import { initialize } from "../../../sdk/model/initialize.js";
import { Model } from "../../../sdk/model/model.js";
import { type RouterSpec, seesLaterTokens } from "../../../sdk/model/router-spec.js";
import { route } from "../../../sdk/model/router/route.js";
import { specSchema } from "../../../sdk/model/spec-schema.js";
import { type ModelSpec, type MoeFfnSpec, moeLayers } from "../../../sdk/model/spec.js";
import { Trainable } from "../../../sdk/model/trainable.js";
import { parsed } from "../../../sdk/parsed.js";
import { Rng, tf } from "../../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { close } from "../../support/close.js";
import { nanoMoe } from "../../support/nano-moe.js";
import { rejects } from "../../support/rejects.js";

const E = 4;
const plain: RouterSpec = { kind: "softmax", topK: 2, normalize: false, scale: 1, bias: false, capacity: 0 };
/** every score, choice and gate */
const routers: Record<string, Partial<RouterSpec>> = {
  "linear, top": {},
  "mlp, carried": { score: { kind: "mlp", width: 5, activation: "tanh", carry: true } },
  "linear, carried": { score: { kind: "linear", carry: true }, normalize: "nonzero" },
  "cosine, sigmoid": { score: { kind: "cosine", width: 3, temperature: "learned" }, kind: "sigmoid" },
  hash: { score: { kind: "hash" }, kind: "one", topK: 1 },
  "random by token": { score: { kind: "random", draw: "token" }, kind: "one", topK: 1 },
  "random by sequence": { score: { kind: "random", draw: "sequence" }, kind: "one", topK: 1 },
  "random by batch": { score: { kind: "random", draw: "batch" }, kind: "one", topK: 1 },
  frozen: { score: { kind: "linear", frozen: true }, kind: "chosen-softmax", bias: true },
  "top-p": { choose: { kind: "top-p", p: 0.5 }, topK: E },
  "threshold of relu": { choose: { kind: "threshold", at: 0 }, kind: "relu", topK: E },
  "all but the best": { choose: { kind: "top", skip: 1 } },
  "by expert": { choose: { kind: "by-expert", factor: 1.5 }, topK: E },
  "capacity by kind": { capacity: { factor: 1, paid: 0.75 }, normalize: "nonzero" },
  "logits of one spread": { logitStd: 0.7 },
};

function modelWith(router: Partial<RouterSpec>, change: (ffn: MoeFfnSpec) => void = () => {}): ModelSpec {
  const { spec } = nanoMoe({ experts: E, layers: 3, gated: true });
  spec.family = "moelab";
  for (const { ffn } of moeLayers(spec)) {
    ffn.router = { ...plain, ...router };
    change(ffn);
  }
  return parsed(specSchema, JSON.parse(JSON.stringify(spec)), (why) => new Error(why) as never);
}

const created = (spec: ModelSpec, memory?: number) => new Model("nano", spec, initialize(spec, new Rng(3)), { memory });

async function logitsOf(model: Model, ids: number[][], mask?: number[][]): Promise<Float32Array> {
  const run = await model.forward({ ids, mask });
  const values = Float32Array.from(await run.logits.data());
  run.dispose();
  return values;
}

const first = [3, 7, 1, 9, 4, 4, 2, 8], second = [5, 2, 9, 6, 1, 0, 3, 10];

for (const backend of testedBackends) {
  const test = suite(`routers with ${backend}`);
  test.before(() => useBackend(backend));

  for (const [name, router] of Object.entries(routers)) {
    const spec = modelWith(router, (ffn) => {
      if (ffn.router.normalize === "nonzero") ffn.slots[1] = { form: "zero", width: 0 };
    });
    test(`${name}: says whether later tokens count`, async () => {
      const model = created(spec);
      const changed = [...first.slice(0, 5), ...second.slice(5)];
      const [before, after] = [await logitsOf(model, [first]), await logitsOf(model, [changed])];
      const seen = 5 * spec.vocab;
      if (!seesLaterTokens({ ...plain, ...router })) {
        close(after.subarray(0, seen), before.subarray(0, seen), 1e-6, "tokens before the change");
      } else {
        assert.ok(before.some((value, at) => at < seen && Math.abs(value - after[at]) > 1e-3),
          "nothing changed before");
        await rejects(model.generate({ ids: [first] }));
      }
      await model.dispose();
    });

    test(`${name}: padding and the rows beside it change nothing`, async () => {
      const model = created(spec);
      const [alone, batch] = [await logitsOf(model, [first]),
        await logitsOf(model, [[...first, 0, 0], [...second, 1, 7]], [[1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
          new Array<number>(10).fill(1)])];
      const limited = typeof router.capacity === "object"; // which counts the places of a row, padding included
      if (!limited) close(batch.subarray(0, alone.length), alone, 1e-5, "first row");
      await model.dispose();
    });

    test(`${name}: larger than memory, saved and opened it computes the same`, async () => {
      const whole = created(spec), tight = created(spec, 1000);
      const logits = await logitsOf(whole, [first, second]);
      assert.ok(logits.every(Number.isFinite));
      close(await logitsOf(tight, [first, second]), logits, 1e-5, "larger than memory");
      const folder = join(mkdtempSync(join(tmpdir(), "moelab-router-")), "model");
      await saveModel(folder, whole, { config: { model_type: "moelab", moelab: { version: 2, spec } } });
      const again = await openModel(folder);
      assert.equal(again.model.spec, spec);
      close(await logitsOf(again.model, [first, second]), logits, 1e-6, "reopened");
      for (const each of [whole, tight, again.model]) await each.dispose();
      rmSync(folder, { recursive: true });
    });

    test(`${name}: the gradient of every weight says by how much the loss falls`, async () => {
      const model = await Trainable.from(spec, initialize(spec, new Rng(3)));
      const rows = { decoder: { B: 1, T: 8, ids: Int32Array.from(first) } };
      const loss = () =>
        tf.tidy(() =>
          tf.sum(
            tf.mul(tf.logSoftmax(model.logits(rows) as never),
              tf.oneHot(tf.tensor1d(Int32Array.from(second), "int32"), spec.vocab)),
          )
        ) as tf.Scalar;
      const variables = model.variables().filter(({ name }) =>
        /router/.test(name) && !/layers.0.router.carry/.test(name)
      );
      if (variables.length === 0) return model.dispose(); // it draws or hashes
      const { value, grads } = tf.variableGrads(loss, variables.map(({ variable }) => variable));
      for (const { name, variable } of variables) {
        const gradient = grads[variable.name];
        if (/choiceBias/.test(name)) continue;
        const norm = tf.tidy(() => tf.norm(gradient).dataSync()[0]);
        const step = 1e-3 / Math.max(norm, 1e-3);
        const moved = (by: number) => {
          const before = tf.clone(variable);
          const after = tf.tidy(() => tf.add(variable, tf.mul(gradient, by)));
          variable.assign(after as never);
          const at = loss();
          variable.assign(before as never);
          const result = at.dataSync()[0];
          tf.dispose([before, after, at]);
          return result;
        };
        const [rise, expected] = [moved(step) - moved(-step), 2 * step * norm ** 2];
        assert.ok(Math.abs(rise - expected) <= 0.05 * expected + 2e-4, `${name}: rose by ${rise}, not ${expected}`);
      }
      tf.dispose([value, ...Object.values(grads)]);
      model.dispose();
    });
  }

  const N = 32;
  const logits = Float32Array.from({ length: N * 6 }, (rng => () => 2 * rng.normal())(new Rng(5)));
  const chosenBy = async (change: Partial<RouterSpec>) => {
    const { choice, gates } = tf.tidy(() => ({
      ...route(tf.tensor2d(logits, [N, 6]), { ...plain, ...change }, { B: 2, T: N / 2, offset: 0, capacity: true }),
    }));
    const found = { K: choice.shape[1], choice: await choice.data() as Int32Array,
      gates: await gates.data() as Float32Array };
    tf.dispose([choice, gates]);
    return found;
  };
  const probabilities = Array.from({ length: N }, (_, n) => {
    const row = Array.from(logits.subarray(6 * n, 6 * n + 6), Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });

  test("top-p with p near 0 is top-1; p of 1 takes all, the weights left as they are", async () => {
    const [one, least] = [await chosenBy({ topK: 1 }), await chosenBy({ choose: { kind: "top-p", p: 1e-9 }, topK: 6 })];
    for (let n = 0; n < N; n++) {
      assert.equal([...least.choice.subarray(6 * n, 6 * n + 6)], [one.choice[n], -1, -1, -1, -1, -1]);
      assert.is(least.gates[6 * n], one.gates[n]);
    }
    const { choice, gates } = await chosenBy({ choose: { kind: "top-p", p: 1 }, topK: 6 });
    choice.forEach((expert, at) =>
      expert >= 0 && assert.ok(Math.abs(gates[at] - probabilities[Math.floor(at / 6)][expert]) < 1e-5)
    );
    assert.ok(choice.filter((expert) => expert >= 0).length > 5 * N);
  });

  test("top-p takes the fewest whose sum is above p, skipping leaves out the best, a threshold all below it", async () => {
    for (const p of [0.3, 0.6, 0.9]) {
      const { choice } = await chosenBy({ choose: { kind: "top-p", p }, topK: 6 });
      probabilities.forEach((row, n) => {
        const order = row.map((_, e) => e).sort((a, b) => row[b] - row[a]);
        let sum = 0;
        const expected = order.filter((e) => (sum += row[e], sum - row[e] <= p));
        assert.equal([...choice.subarray(6 * n, 6 * n + 6)].filter((expert) => expert >= 0), expected);
      });
    }
    const [three, rest] = [await chosenBy({ topK: 3 }), await chosenBy({ choose: { kind: "top", skip: 2 }, topK: 1 })];
    for (let n = 0; n < N; n++) assert.is(rest.choice[n], three.choice[3 * n + 2]);
    const { choice } = await chosenBy({ kind: "relu", choose: { kind: "threshold", at: 1.5 }, topK: 6 });
    assert.is(choice.filter((expert) => expert >= 0).length, logits.filter((value) => value > 1.5).length);
  });

  test("where experts choose, each takes its share of a sequence, its best tokens", async () => {
    const { choice, gates } = await chosenBy({ choose: { kind: "by-expert", factor: 1.2 }, topK: 6 });
    const share = Math.ceil(1.2 * (N / 2) / 6);
    for (let b = 0; b < 2; b++) {
      for (let e = 0; e < 6; e++) {
        const rows = Array.from({ length: N / 2 }, (_, t) => b * N / 2 + t);
        const best = [...rows].sort((n, m) => probabilities[m][e] - probabilities[n][e]).slice(0, share).sort((n, m) =>
          n - m
        );
        assert.equal(rows.filter((n) => choice[6 * n + e] === e), best);
        for (const n of best) assert.ok(Math.abs(gates[6 * n + e] - probabilities[n][e]) < 1e-5);
      }
    }
  });

  for (const [what, router, message] of [["more choices than experts", { topK: 5 }, /topK is at most/], ["top-p of 0", {
    choose: { kind: "top-p", p: 0 },
  }, /above 0/], ["top-p of 1.5", { choose: { kind: "top-p", p: 1.5 } }, /at most 1/], [
    "a capacity that drops everything",
    { capacity: { factor: 0, paid: 1 } },
    /capacity/,
  ], ["experts that choose with fewer columns", { choose: { kind: "by-expert", factor: 1 } },
    /where experts choose/]] as [string, Partial<RouterSpec>, RegExp][]) {
    test(`${what} is refused`, () => {
      assert.throws(() => modelWith(router), message);
    });
  }

  test.run();
}
