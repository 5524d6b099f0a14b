import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { type ExpertBank, experts, tf } from "../../tensor/index.js";
import { unit } from "../../tensor/ops/experts/hidden.js";
import { denseBlock } from "../dense-block.js";
import { expertShape } from "../form/formed-matrices.js";
import { applyForm, hasWhole, wholeOf } from "../form/forms.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { type Bank, banksOf } from "../layer-weights.js";
import { linear } from "../linear.js";
import type { Pass } from "../pass.js";
import { mixedScores } from "../router/gate.js";
import { route, type Routing } from "../router/route.js";
import { score } from "../router/score/score.js";
import { type ExpertSpec, isFree, type LayerId, type MoeFfnSpec } from "../spec.js";
import { combineChoices } from "./combine-choices.js";
import { freeExperts, runFree } from "./free-experts.js";
import { routeSequences, runMerged } from "./merged-experts.js";
import { placeIn } from "./place-in.js";

/** With the router's raw logits [N, E]; of one that mixes its scores, their logarithms. */
export interface RoutingWithLogits extends Routing {
  logits: Tensor2D;
}

/**
 * The MoE block: every token runs through the experts that its router chose, weighted by the gates, and through the
 * shared experts if there are any. x [N, D] -> [N, D]. An expert runs on its own tokens only.
 */
export function moeBlock(x: Tensor, layer: LayerId, spec: MoeFfnSpec, weights: LayerWeights, pass: Pass): Tensor {
  const merge = spec.router.merge === "sequence";
  const routing = merge ? routeSequences(x, spec, weights, pass) : routeTokens(x, layer, spec, weights, pass);
  const read = forExperts(x, spec, weights);
  const width = read.shape[1] as number;
  const sums = banksOf(spec, width).map(
    (bank) => (merge
      ? runMerged(read, placeIn(bank, routing.choice, spec), routing.gates, bankOf(bank, spec, weights, width), pass)
      : runExperts(read, routing, spec, weights, bank))
  );
  const sum = sums.length ? (sums.length === 1 ? sums[0] : tf.addN(sums)) : tf.zerosLike(read);
  return finishMoe(x, read, layer, routing, sum, spec, weights, pass);
}

/** What the experts read of the block's input. */
export function forExperts(x: Tensor, spec: MoeFfnSpec, weights: LayerWeights): Tensor {
  return spec.latent ? linear(x, weights, "latentDown") : x;
}

export function routeTokens(
  x: Tensor,
  layer: LayerId,
  spec: MoeFfnSpec,
  weights: LayerWeights,
  pass: Pass,
): RoutingWithLogits {
  const { experts, expertOf, slots, router } = spec;
  const logits = score(x, layer, experts, router, weights, pass);
  const outputs = (is: (slot: ExpertSpec | undefined) => boolean) =>
    expertOf.flatMap((slot, output) => (is(slots[slot]) ? [output] : []));
  const nothing = outputs((slot) => !slot || slot.form === "zero");
  const free = outputs((slot) => !slot || isFree(slot));
  const mix = weights.get("router.mix");
  // who looks at logits sees one for each output
  return { ...route(logits, router, pass, weights, { nothing, free }),
    logits: mix ? tf.log(tf.maximum(mixedScores(logits, router, mix), 1e-9)) as Tensor2D : logits };
}

/** Outputs of those of the chosen experts that are in a bank, weighted by the gates and added. */
export function runExperts(
  x: Tensor,
  { choice, gates }: Routing,
  spec: MoeFfnSpec,
  weights: LayerWeights,
  bank: Bank,
): Tensor {
  x = expertInput(x, spec);
  if (!Object.values(bank.expert.maps ?? {}).every(hasWhole))
    return oneByOne(x, { choice, gates }, spec, weights, bank);
  const stack = bankOf(bank, spec, weights, x.shape[1] as number);
  if (spec.router.gates !== "input") {
    const chosen = { place: placeIn(bank, choice, spec), gates };
    const { place, gates: worth } = spec.router.combine ? combineChoices(chosen.place, chosen.gates) : chosen;
    return experts(x as Tensor2D, place, worth, stack);
  }
  // the gates multiply what goes into the experts: each of the K choices is a pass of its own
  const columns = (tensor: Tensor) => tf.split(tensor, choice.shape[1], 1) as Tensor2D[];
  const each = columns(gates);
  return tf.addN(
    columns(choice).map((chosen, k) =>
      experts(tf.mul(x, each[k]) as Tensor2D, placeIn(bank, chosen, spec), tf.onesLike(each[k]), stack)
    ),
  );
}

function expertInput(x: Tensor, { inputScale }: MoeFfnSpec): Tensor {
  return inputScale === undefined ? x : tf.mul(x, inputScale);
}

/** Experts that have no matrices to be stacked: each computes all tokens, weighted by what they chose of it. */
function oneByOne(x: Tensor, { choice, gates }: Routing, spec: MoeFfnSpec, weights: LayerWeights, bank: Bank): Tensor {
  const place = placeIn(bank, choice, spec);
  return tf.addN(bank.slots.map((slot, at) => {
    const chosen = tf.cast(tf.equal(place, tf.scalar(at, "int32")), "float32");
    const worth = tf.sum(tf.mul(chosen, gates), -1, true);
    const { run } = singleExpert(slot, spec, weights, bank);
    if (spec.router.gates !== "input") return tf.mul(worth, run(x));
    return tf.mul(tf.sum(chosen, -1, true), run(tf.mul(x, worth)));
  }));
}

/** The block's output from the sum over its routed experts. @param read what they read of its input x */
export function finishMoe(
  x: Tensor,
  read: Tensor,
  layer: LayerId,
  routing: RoutingWithLogits,
  sum: Tensor,
  spec: MoeFfnSpec,
  weights: LayerWeights,
  pass: Pass,
): Tensor {
  const free = freeExperts(expertInput(read, spec), routing, spec, weights);
  let all = free ? tf.add(sum, free) : sum;
  if (spec.passes) all = tf.add(all, tf.mul(read, tf.sub(1, tf.sum(routing.gates, -1, true))));
  let routed = spec.router.outputScale === undefined ? all : tf.mul(all, spec.router.outputScale);
  if (spec.outputBias) routed = tf.add(routed, weight(weights, "expertsBias"));
  if (pass.look?.sites.has("moe")) {
    const [input, output] = [read as Tensor2D, routed as Tensor2D];
    pass.look.see({ site: "moe", layer, spec, weights, real: pass.real, rows: pass.B, input, ...routing, output });
  }
  if (spec.latent) routed = linear(routed, weights, "latentUp");
  if (!spec.shared) return routed;
  const shared = denseBlock(x, spec.shared, weights, "shared");
  return tf.add(routed, spec.sharedGate ? tf.mul(tf.sigmoid(linear(x, weights, "sharedGate")), shared) : shared);
}

/** The stacked matrices of a bank. */
export function bankOf({ key, expert }: Bank, spec: MoeFfnSpec, weights: LayerWeights, D: number): ExpertBank {
  const matrix = (part: "up" | "gate" | "down"): Tensor => {
    const name = `${key}.${part}`, form = expert.maps?.[part];
    if (!form) return weight(weights, name);
    return wholeOf(form, (suffix) => weight(weights, name + suffix), expertShape(part, expert.width, D))!;
  };
  return {
    up: matrix("up"),
    down: matrix("down"),
    ...(spec.gated ? { gate: matrix("gate") } : {}),
    upBias: weights.get(`${key}.up.bias`),
    gateBias: weights.get(`${key}.gate.bias`),
    downBias: weights.get(`${key}.down.bias`),
    activation: spec.activation,
    clamp: spec.clamp,
  };
}

/**
 * One stored expert alone, on any rows: `hidden` gives the vectors after the activation [M, F], `run` the output [M,
 * D].
 * What a gated expert feeds to `down` is act(gate x) * up x, or what gpt-oss has in its place.
 *
 * @param bank that the weights hold the expert in; default the one of the whole layer
 */
export function singleExpert(
  slot: number,
  spec: MoeFfnSpec,
  weights: LayerWeights,
  bank?: Bank,
): { hidden(x: Tensor): Tensor2D; run(x: Tensor): Tensor2D } {
  const stored = spec.slots[slot];
  if (isFree(stored))
    return { hidden: (x) => tf.zeros([x.shape[0] as number, stored.width]),
      run: (x) => runFree(x, slot, spec, weights) as Tensor2D };
  const hidden = (x: Tensor, { project } = slotOf(slot, spec, weights, x.shape[1]!, bank)) =>
    tf.tidy(() => unit(project("up", x), spec.gated ? project("gate", x) : undefined, spec) as Tensor2D);
  return { hidden: (x) => hidden(x), run: (x) =>
    tf.tidy(() => {
      const own = slotOf(slot, spec, weights, x.shape[1]!, bank);
      return own.project("down", hidden(x, own)) as Tensor2D;
    }) };
}

/** The products with the matrices of one expert of a bank. @param D model width */
function slotOf(slot: number, spec: MoeFfnSpec, weights: LayerWeights, D: number, given?: Bank) {
  const { key, expert, slots } = given ?? banksOf(spec, D).find(({ slots }) => slots.includes(slot))!;
  const at = slots.indexOf(slot);
  const pick = (stack: Tensor) =>
    tf.squeeze(tf.slice(stack, [at, ...stack.shape.slice(1).map(() => 0)], [1, ...stack.shape.slice(1)]), [0]);
  return { project(part: "up" | "gate" | "down", x: Tensor): Tensor {
    const name = `${key}.${part}`, form = expert.maps?.[part], bias = weights.get(`${name}.bias`);
    const held = (suffix: string) => pick(weight(weights, name + suffix));
    const product = form
      ? applyForm(x, form, held, expertShape(part, expert.width, D))
      : tf.matMul(x as Tensor2D, held("") as Tensor2D, false, true);
    return bias ? tf.add(product, pick(bias)) : product;
  } };
}
