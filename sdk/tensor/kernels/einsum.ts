import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { setKernel } from "./set-kernel.js";

/**
 * Einsum of one or two operands as one batched matrix product: [shared, left, summed] times [shared, summed, right].
 */
export function registerEinsum(backendName: string): void {
  setKernel("Einsum", backendName,
    ({ inputs, attrs }) =>
      tf.tidy(() =>
        einsum((attrs as unknown as { equation: string }).equation.replace(/\s/g, ""),
          Object.values(inputs) as Tensor[])
      ));
}

function einsum(equation: string, operands: Tensor[]): Tensor {
  const [left, output] = equation.split("->");
  const terms = left.split(",");
  if (output === undefined || terms.length !== operands.length || operands.length > 2
    || terms.some((term) => new Set(term).size < term.length)) {
    throw new MoeError("einsum",
      `einsum: "${equation}" with ${operands.length} operands; accepted are one or two, no letter twice in `
        + `a term, and "->" with the letters of the result. Split it.`);
  }
  const lengths = new Map<string, number>();
  terms.forEach((term, i) =>
    [...term].forEach((letter, axis) => {
      const length = operands[i].shape[axis];
      if (operands[i].rank !== term.length || (lengths.get(letter) ?? length) !== length) {
        throw new MoeError("einsum",
          `einsum: "${equation}" for shapes ${operands.map(({ shape }) => `[${shape}]`).join(" and ")}; letter `
            + `${letter} has two lengths or a term the wrong rank.`);
      }
      lengths.set(letter, length);
    })
  );
  const size = (letters: string[]) => letters.reduce((product, letter) => product * lengths.get(letter)!, 1);

  // letters that one operand alone has and the result has not are summed first
  const reduced = operands.map((x, i) => {
    const kept = [...terms[i]].filter((letter) =>
      output.includes(letter) || terms.some((term, j) => j !== i && term.includes(letter))
    );
    const gone = [...terms[i]].map((letter, axis) => (kept.includes(letter) ? -1 : axis)).filter((axis) => axis >= 0);
    return { letters: kept, x: gone.length > 0 ? tf.sum(x, gone) : x };
  });
  const arranged = ({ letters, x }: { letters: string[]; x: Tensor }, order: string[]) =>
    tf.transpose(x, order.map((letter) => letters.indexOf(letter)));
  if (reduced.length === 1) return arranged(reduced[0], [...output]);

  const [a, b] = reduced;
  const both = a.letters.filter((letter) => b.letters.includes(letter));
  const shared = both.filter((letter) => output.includes(letter));
  const summed = both.filter((letter) => !output.includes(letter));
  const [onlyA, onlyB] = [a, b].map(({ letters }) => letters.filter((letter) => !both.includes(letter)));
  const product = tf.matMul(
    tf.reshape(arranged(a, [...shared, ...onlyA, ...summed]), [size(shared), size(onlyA), size(summed)]),
    tf.reshape(arranged(b, [...shared, ...summed, ...onlyB]), [size(shared), size(summed), size(onlyB)]),
  );
  const letters = [...shared, ...onlyA, ...onlyB];
  return arranged({ letters, x: tf.reshape(product, letters.map((letter) => lengths.get(letter)!)) }, [...output]);
}
