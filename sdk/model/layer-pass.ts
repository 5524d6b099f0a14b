import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf, trimHeap } from "../tensor/index.js";
import type { Activations, Held } from "./activations.js";
import { LoadedExperts } from "./expert/loaded-experts.js";
import { finishMoe, forExperts, routeTokens, runExperts } from "./expert/moe-block.js";
import { checkStream } from "./finite.js";
import { disposeWeights, type LayerWeights } from "./held-weights.js";
import { expertGroups, readBank, readPlain } from "./layer-weights.js";
import type { Pass, PassRecord, Site } from "./pass.js";
import type { Resident } from "./resident.js";
import { addBlock, blockInput, runLayer, runMixers } from "./run-layer.js";
import { type LayerId, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "./spec.js";

/** One batch on its way through a stack. */
export interface Traveller {
  /** [N, D] before the next layer */
  x: Held;
  pass: Pass;
  /** output of the encoder [B, S, D] */
  memory?: Held;
}

type LayerRecord = PassRecord & { layer: LayerId };

export interface LayerPassOptions {
  sites?: ReadonlySet<Site>;
  /** sees what the layer did at these sites; the record's tensors are disposed afterwards */
  onSite?(record: LayerRecord, batch: number): void | Promise<void>;
  /** see `SweepOptions` */
  experts?: boolean | "loaded";
}

interface Place {
  resident: Resident;
  spec: ModelSpec;
  stack: "encoder" | "decoder";
  index: number;
  activations: Activations;
}

/**
 * Takes every batch through one layer. A layer that the budget holds is read whole; of a larger one the experts are
 * read
 * group by group, all batches use a group, and no more than two groups are there at a time.
 */
export async function layerPass(place: Place, batches: Traveller[], options: LayerPassOptions = {}): Promise<void> {
  const { resident, spec, stack, index } = place;
  const layer = spec[stack]!.layers[index];
  const path = layerId(stack, index);
  if (layer.ffn?.kind === "moe" && options.experts !== true && !layer.ffn.router.merge
    && resident.sizeBytes(path) > resident.budget.layerBytes) {
    return expertsInGroups(place, layer as LayerSpec & { ffn: MoeFfnSpec }, path, batches, options);
  }
  const weights = await resident.take(path);
  try {
    for (let batch = 0; batch < batches.length; batch++) {
      await step({ activations: place.activations, path }, batches[batch], batch, options, (x, pass) =>
        runLayer(x, layer, seen(weights, pass), pass, stack, index));
    }
  } finally {
    resident.release(path);
  }
}

async function expertsInGroups(
  { resident, spec: { width: D }, index, activations }: Place,
  layer: LayerSpec & { ffn: MoeFfnSpec },
  path: LayerId,
  batches: Traveller[],
  { sites, onSite, experts }: LayerPassOptions,
): Promise<void> {
  const { ffn } = layer;
  const { budget } = resident;
  const source = resident.sourceOf(path);
  const groups = expertGroups(ffn, D, budget.groupBytes);
  const read = async (at: number) => {
    budget.use(budget.groupBytes);
    return at < groups.length ? readBank(source, path, ffn, groups[at], D) : new Map<string, Tensor>();
  };
  const weights = await readPlain(source, path, layer, D);
  const loaded = experts ? new LoadedExperts({ source, path, ffn, D, budget, plain: weights }) : undefined;
  const options: LayerPassOptions = { sites,
    onSite: onSite
      && ((record, batch) => onSite(record.site === "moe" ? { ...record, experts: loaded } : record, batch)) };
  let next: Promise<LayerWeights> | undefined;
  try {
    const routed: { y: Held; choice: Held; gates: Held; sum: Held }[] = [];
    for (const [batch, traveller] of batches.entries()) {
      await step({ activations, path, part: "mixers" }, traveller, batch, options, (x, pass) =>
        runMixers(x, layer, seen(weights, pass), pass, index));
      const x = await traveller.x.read();
      const [y, choice, gates, sum] = tf.tidy(() => {
        const y = blockInput(x, layer, weights, "ffn");
        // what it hands to the next router is handed over when the layer is done
        const { choice, gates } = routeTokens(y, path, ffn, weights, { ...traveller.pass });
        const read = forExperts(y, ffn, weights);
        return [tf.clone(read), choice, gates, tf.zerosLike(read)];
      });
      x.dispose();
      routed.push({ y: await activations.hold(y), choice: await activations.hold(choice),
        gates: await activations.hold(gates), sum: await activations.hold(sum) });
    }
    next = read(0);
    for (let at = 0; at < groups.length; at++) {
      const bank = await next;
      next = read(at + 1);
      next.catch(() => undefined); // told when it is awaited
      try {
        for (const held of routed) {
          const [y, choice, gates, sum] = [await held.y.read(), await held.choice.read(), await held.gates.read(),
            await held.sum.take()];
          try {
            held.sum = await activations.hold(
              tf.tidy(() =>
                tf.add(sum,
                  runExperts(y, { choice: choice as Tensor2D, gates: gates as Tensor2D }, ffn, bank, groups[at]))
              ),
            );
          } finally {
            tf.dispose([y, choice, gates, sum]);
          }
        }
      } finally {
        disposeWeights(bank);
        budget.done(budget.groupBytes);
      }
    }
    for (let batch = 0; batch < batches.length; batch++) {
      const held = routed[batch];
      const sum = await held.sum.take();
      try {
        await step({ activations, path, part: "ffn" }, batches[batch], batch, options, (x, pass) => {
          const own = seen(weights, pass);
          const y = blockInput(x, layer, own, "ffn");
          const routing = routeTokens(y, path, ffn, own, pass);
          const made = finishMoe(y, forExperts(y, ffn, own), path, routing, sum, ffn, own, pass);
          return addBlock(x, y, made, layer, own, "ffn");
        });
      } finally {
        sum.dispose();
      }
      for (const each of [held.y, held.choice, held.gates]) each.free();
    }
  } finally {
    loaded?.dispose();
    disposeWeights(weights);
    if (next) await next.then(disposeWeights, () => undefined).then(() => budget.done(budget.groupBytes));
    trimHeap();
  }
}

/** One batch through a piece of a layer: its activation is replaced, what the piece recorded is shown. */
async function step(
  { activations, path, part }: { activations: Activations; path: LayerId; part?: "mixers" | "ffn" },
  traveller: Traveller,
  batch: number,
  { sites, onSite }: LayerPassOptions,
  run: (x: Tensor, pass: Pass) => Tensor,
): Promise<void> {
  const { pass } = traveller;
  const records: LayerRecord[] = [];
  const see = (record: PassRecord) => void records.push({ ...eachTensor(record, keep), layer: path });
  const stream = (at: "in" | "mixed" | "out", x: Tensor) =>
    onSite && sites?.has("stream") && see({ site: "stream", at, x: x as Tensor2D });
  const [before, memory] = [await traveller.x.take(), await traveller.memory?.read()];
  const { bias, carried } = pass;
  try {
    Object.assign(pass, { memory: memory ?? pass.memory, look: onSite && sites && { sites, see } });
    if (part !== "ffn") stream("in", before);
    const after = tf.tidy(() => {
      const y = run(before, pass);
      if (pass.bias !== bias) tf.keep(pass.bias!);
      if (pass.carried !== carried) tf.keep(pass.carried!);
      return y === before ? tf.clone(y) : y; // a layer without blocks gives its input back, which goes below
    });
    if (pass.carried !== carried) carried?.dispose();
    await checkStream(path, after, pass.T, pass.real).catch((error: unknown) => {
      after.dispose();
      throw error;
    });
    stream(part === "mixers" ? "mixed" : "out", after);
    traveller.x = await activations.hold(after);
    for (const record of records) await onSite!(record, batch);
  } finally {
    tf.dispose([before, ...(memory ? [memory] : [])]);
    for (const record of records) eachTensor(record, (tensor) => (tensor.dispose(), tensor));
  }
}

/** The weights of a layer, which show what they multiply where somebody looks at that. */
function seen(weights: LayerWeights, { look }: Pass): LayerWeights {
  if (!look?.sites.has("input")) return weights;
  return Object.assign(new Map(weights), {
    maps: weights.maps,
    onInput: (weight: string, x: Tensor) => look.see({ site: "input", weight, x: x as Tensor2D }),
  });
}

/** A copy that outlives the layer's tidy; the layer's own tensors do not. */
function keep(tensor: Tensor): Tensor {
  return tf.keep(tf.clone(tensor));
}

function eachTensor<R extends PassRecord>(record: R, of: (tensor: Tensor) => Tensor): R {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, value instanceof tf.Tensor ? of(value) : value]),
  ) as R;
}
