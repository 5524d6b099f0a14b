import type { Tensor } from "@tensorflow/tfjs-core";
import { singleExpert } from "../../model/expert/moe-block.js";
import { disposeWeights } from "../../model/held-weights.js";
import { banksOf, readBank } from "../../model/layer-weights.js";
import type { SpecAndWeights } from "../../model/spec-and-weights.js";
import type { WeightSource } from "../../model/weight-source.js";
import { applyPlan } from "../../plan/apply.js";
import type { WeightPlan } from "../../plan/plan.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/** Widths that arXiv:2410.06270 chooses from. */
export const BIT_WIDTHS = [1, 2, 3] as const;

/**
 * How far a layer's output goes from what it was when one stored expert alone is rounded to the nearest of 1, 2 or 3
 * bits: Frobenius norm over all tokens, [S][3]. Of one bit a sign and mean |w|; else from the smallest to the largest
 * of a group with 0 in it. Only tokens that chose the expert count, as the others' outputs stay. Runs each expert four
 * times.
 *
 * @param group inputs of a row that share a scale; 0: the whole row
 */
export function bitErrorsObserver(model: SpecAndWeights, group: number): MergeableObserver<number[][]> {
  const sums = new Sums();
  const rounded = new Map<string, Promise<WeightSource>>();
  const atBits = (layer: string, bits: GroupedFormat["bits"]) => {
    const key = `${layer} ${bits}`;
    if (!rounded.has(key)) {
      const plan: WeightPlan = {
        format: { kind: "grouped", bits, group, zero: bits === 1 ? "none" : "integer", scales: "F32" },
      };
      rounded.set(key, (async () => {
        const made = await applyPlan(model, { version: 2, for: await model.weights.fingerprint(), method: "bit-errors",
          options: {}, layers: {}, weights: { [`${layer}.experts.`]: plan } });
        return made.weights;
      })());
    }
    return rounded.get(key)!;
  };
  return {
    name: `bitErrors.${group}`,
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec, input, gates, load, expert: run } = event;
      const errors = sums.of(layer, "squares", spec.slots.length * BIT_WIDTHS.length);
      const K = gates.shape[1];
      for (const { expert, rows: at, choices } of await tokensByExpert(event)) {
        const slot = spec.expertOf[expert];
        const bank = banksOf(spec, input.shape[1]).find(({ slots }) => slots.includes(slot));
        if (!bank) continue;
        await load?.([slot]);
        const [x, gate, right] = tf.tidy((): Tensor[] => {
          const x = tf.gather(input, tf.tensor1d(at, "int32"));
          const places = Int32Array.from(at, (row, i) => row * K + choices[i]);
          const gate = tf.gather(tf.reshape(gates, [-1]), tf.tensor1d(places, "int32"));
          return [x, tf.expandDims(gate, 1), run(slot).run(x)];
        });
        try {
          for (const [index, bits] of BIT_WIDTHS.entries()) {
            const own = { ...bank, slots: [slot] };
            const weights = await readBank(await atBits(layer, bits), layer, spec, own, input.shape[1]);
            const sum = tf.tidy(() =>
              tf.sum(tf.square(tf.mul(gate, tf.sub(singleExpert(slot, spec, weights, own).run(x), right))))
            );
            errors[slot * BIT_WIDTHS.length + index] += (await sum.data())[0];
            sum.dispose();
            disposeWeights(weights);
          }
        } finally {
          tf.dispose([x, gate, right]);
        }
      }
    },
    result: () => sums.map((sum) => rows(sum("squares").map(Math.sqrt), BIT_WIDTHS.length)),
    merge: (other) => sums.merge(other.sums!),
  };
}
