import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { alignedExperts, disposeExperts } from "../../match/aligned-experts.js";
import type { ExpertMatrices } from "../../match/weight-matching.js";
import type { WeightSource } from "../../model/weight-source.js";
import { activate, tf } from "../../tensor/index.js";
import type { Activation } from "../../tensor/ops/activation.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/**
 * How little averaging two experts changes what they give: `1 / (1 + 0.1 ln s)` with s the sum of squared differences
 * between the outputs of the average of the two (after weight matching) and their own, on the tokens routed to each;
 * 1 if neither has a token. [E][E]. Runs every pair, so E(E-1)/2 more experts for each layer.
 *
 * @param weights of the model that is swept
 */
export function mseSimilarityObserver(weights: WeightSource): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name: "similarity.mse",
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec, input, expert } = event;
      const E = spec.experts;
      const squares = sums.of(layer, "squares", E * E);
      const tokens = sums.of(layer, "tokens", E);
      const experts = await alignedExperts(weights, layer, spec);
      const own = new Map<number, { x: Tensor; y: Tensor }>();
      for (const { expert: e, rows } of await tokensByExpert(event)) {
        tokens[e] += rows.length;
        if (spec.expertOf[e] < 0) continue;
        await event.load?.([spec.expertOf[e]]);
        const x = tf.tidy(() => tf.gather(input, tf.tensor1d(rows, "int32")));
        own.set(e, { x, y: expert(spec.expertOf[e]).run(x) });
      }
      for (let a = 0; a < E; a++) {
        for (let b = a + 1; b < E; b++) {
          const [first, second] = [experts[spec.expertOf[a]], experts[spec.expertOf[b]]];
          if (!first || !second) continue;
          for (const { x, y } of [own.get(a), own.get(b)].filter((seen) => seen !== undefined)) {
            const change = tf.tidy(() => tf.sum(tf.square(tf.sub(run(mean(first, second), x, spec.activation), y))));
            squares[a * E + b] += (await change.data())[0];
            change.dispose();
          }
        }
      }
      for (const { x, y } of own.values()) tf.dispose([x, y]);
      disposeExperts(experts);
    },
    result: () =>
      sums.map((sum) => {
        const [squares, tokens] = [sum("squares"), sum("tokens")];
        const E = tokens.length;
        const matrix = Array.from({ length: E }, () => new Array<number>(E).fill(1));
        for (let a = 0; a < E; a++) {
          for (let b = a + 1; b < E; b++) {
            if (tokens[a] + tokens[b] > 0) matrix[a][b] = matrix[b][a] = 1 / (1 + 0.1 * Math.log(squares[a * E + b]));
          }
        }
        return matrix;
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}

function mean(a: ExpertMatrices, b: ExpertMatrices): ExpertMatrices {
  const half = (x: Tensor2D, y: Tensor2D) => tf.mul(tf.add(x, y), 0.5) as Tensor2D;
  return { up: half(a.up, b.up), ...(a.gate && b.gate && { gate: half(a.gate, b.gate) }), down: half(a.down, b.down) };
}

function run({ up, gate, down }: ExpertMatrices, x: Tensor, activation: Activation): Tensor {
  const through = (matrix: Tensor2D) => tf.matMul(x as Tensor2D, matrix, false, true);
  const hidden = gate ? tf.mul(activate(through(gate), activation), through(up)) : activate(through(up), activation);
  return tf.matMul(hidden as Tensor2D, down, false, true);
}
