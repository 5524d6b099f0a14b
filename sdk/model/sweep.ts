import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { ready, tf } from "../tensor/index.js";
import { Activations, type Held } from "./activations.js";
import { type Batch, flattenBatch, inGivenOrder, type Rows } from "./batch.js";
import { embed, finalNorm, head } from "./ends.js";
import { layerPass, type Traveller } from "./layer-pass.js";
import { keyMaskOf, type Pass, type Site, type SiteRecord } from "./pass.js";
import type { Resident } from "./resident.js";
import { type LayerId, layerId, type ModelSpec } from "./spec.js";

/** Keeps where a sweep is, so that another one goes on from there. */
export interface SweepKeeper {
  restore(activations: Activations): Promise<SweepPoint | undefined>;
  save(point: SweepPoint): Promise<void>;
}

/** Where in a sweep something happened. */
export interface SweepPlace {
  batch: number;
  stack: "encoder" | "decoder";
  rows: Rows;
  /** of a decoder that attends to an encoder: the encoder's */
  memory?: Rows;
}

export interface SweepOptions {
  /** where somebody looks; default nowhere */
  sites?: readonly Site[];
  /** what one batch did at one of these sites; the tensors are disposed when the handler is done */
  onSite?(record: SiteRecord, place: SweepPlace): void | Promise<void>;
  /**
   * whether `onSite` runs experts once more; default false. true: records hold all of a layer, which is then read
   * whole, whatever its size; "loaded": records of a layer that is larger than memory have `experts`, which reads those
   * that are asked for
   */
  experts?: boolean | "loaded";
  /** one layer did all batches */
  onLayer?(layer: LayerId): void | Promise<void>;
  /**
   * keeps the activations after each layer, and goes on from those that are there: layers that were done are not shown
   * again
   */
  state?: SweepKeeper;
  /** tokens over an expert's capacity are dropped where the model has one; default true */
  capacity?: boolean;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

/**
 * The one forward pass, layer by layer: all batches go through layer l, then through l + 1, so that a layer is read
 * once and a model larger than memory can run. A resident model and a streamed one run the same code.
 *
 * @throws MoeError `bad-batch`, `aborted`, `disk-full`
 */
export async function sweep(
  spec: ModelSpec,
  resident: Resident,
  batches: Batch[],
  options: SweepOptions = {},
): Promise<void> {
  await ready();
  const sides = batches.map((batch) => flattenBatch(batch, spec));
  const total = (spec.encoder?.layers.length ?? 0) + spec.decoder.layers.length;
  const activations = new Activations(resident.budget);
  const masks = sides.map(({ encoder }) => (encoder ? keyMaskOf(encoder) : undefined));
  let done = 0;
  const run: Run = { spec, resident, options, activations, advance: () => options.onProgress?.(++done, total) };
  try {
    const begun = await options.state?.restore(activations);
    const memories = !spec.encoder
      ? []
      : begun?.stack === "decoder"
      ? begun.batches.map(({ memory }) => memory!)
      : await runStack(run, "encoder", sides.map(({ encoder }) => encoder!), () => ({}), begun);
    if (begun?.stack === "decoder") spec.encoder?.layers.forEach(run.advance);
    const outputs = await runStack(run, "decoder", sides.map(({ decoder }) => decoder),
      (batch) => ({ memory: memories[batch], memoryMask: masks[batch], rows: sides[batch].encoder }),
      begun?.stack === "decoder" ? begun : undefined);
    if (!options.sites?.includes("logits")) return;
    const top = await resident.take("head");
    try {
      for (let batch = 0; batch < outputs.length; batch++) {
        const { B, T } = sides[batch].decoder;
        const x = await outputs[batch].take();
        const logits = tf.tidy(() =>
          tf.reshape(inGivenOrder(head(tf.reshape(x, [B * T, spec.width]), spec, top), sides[batch].decoder), [B, T,
            spec.vocab])
        ) as Tensor3D;
        x.dispose();
        const place: SweepPlace = { batch, stack: "decoder", rows: sides[batch].decoder };
        await shown(logits, () => options.onSite?.({ site: "logits", logits }, place));
      }
    } finally {
      resident.release("head");
    }
  } finally {
    await activations.close();
    tf.dispose(masks.filter((mask) => mask !== undefined) as never);
  }
}

interface Run {
  spec: ModelSpec;
  resident: Resident;
  options: SweepOptions;
  activations: Activations;
  advance(): void;
}

/** Runs one stack over all batches; gives the normalised outputs [B, T, D]. */
async function runStack(
  { spec, resident, options, activations, advance }: Run,
  stack: "encoder" | "decoder",
  sides: Rows[],
  extra: (batch: number) => { memory?: Held; memoryMask?: Tensor; rows?: Rows },
  begun?: SweepPoint,
): Promise<Held[]> {
  const { layers } = spec[stack]!;
  const passes: Pass[] = sides.map((rows, batch) => ({
    B: rows.B,
    T: rows.T,
    offset: 0,
    ids: rows.ids,
    real: rows.real,
    keyMask: keyMaskOf(rows),
    capacity: options.capacity ?? true,
    memoryMask: extra(batch).memoryMask,
    bias: begun?.batches[batch].bias,
    carried: begun?.batches[batch].carried,
  }));
  try {
    const inputs = begun ? begun.batches.map(({ x }) => x) : await embedded(sides, stack, spec, resident, activations);
    const travellers: Traveller[] = inputs.map((x, batch) => ({ x, pass: passes[batch], memory: extra(batch).memory }));
    const sites = new Set(options.sites);
    const placeOf = (batch: number): SweepPlace => ({ batch, stack, rows: sides[batch], memory: extra(batch).rows });
    for (let index = 0; index < layers.length; index++) {
      if (index < (begun?.layer ?? 0)) {
        advance();
        continue;
      }
      const path = layerId(stack, index);
      if (options.signal?.aborted)
        throw new MoeError("aborted", `sweep: stopped before ${path} at the caller's request.`);
      await layerPass({ resident, spec, stack, index, activations }, travellers, {
        sites,
        experts: options.experts,
        onSite: options.onSite && ((record, batch) => options.onSite!(record, placeOf(batch))),
      });
      await options.onLayer?.(path);
      await options.state?.save({ stack, layer: index + 1,
        batches: travellers.map(({ x, pass: { bias, carried }, memory }) => ({ x, bias, carried, memory })) });
      advance();
    }
    const outputs: Held[] = [];
    const top = await resident.take("finalNorm");
    try {
      for (const [batch, traveller] of travellers.entries()) {
        const x = await traveller.x.take();
        const { B, T } = sides[batch];
        outputs.push(
          await activations.hold(tf.tidy(() => tf.reshape(finalNorm(x, spec, top, stack), [B, T, spec.width]))),
        );
        x.dispose();
        if (!sites.has("norm")) continue;
        const normed = await outputs[batch].read();
        await shown(normed, () => options.onSite?.({ site: "norm", x: normed }, placeOf(batch)));
      }
    } finally {
      resident.release("finalNorm");
    }
    return outputs;
  } finally {
    tf.dispose(
      passes.flatMap(({ bias, carried, keyMask }) => [bias, carried, keyMask].filter((tensor) => tensor !== undefined)),
    );
  }
}

/** What the first layer of a stack sees of each batch. */
async function embedded(
  sides: Rows[],
  stack: "encoder" | "decoder",
  spec: ModelSpec,
  resident: Resident,
  activations: Activations,
): Promise<Held[]> {
  const top = await resident.take("embedding");
  try {
    const inputs: Held[] = [];
    for (const rows of sides)
      inputs.push(await activations.hold(tf.tidy(() => tf.clone(embed(rows, spec, top, stack)))));
    return inputs;
  } finally {
    resident.release("embedding");
  }
}

/** Where a sweep is: `layer` layers of this stack are done. */
export interface SweepPoint {
  stack: "encoder" | "decoder";
  layer: number;
  batches: { x: Held; bias?: Tensor; carried?: Tensor; memory?: Held }[];
}

async function shown(tensor: Tensor, show: () => void | Promise<void>): Promise<void> {
  try {
    await show();
  } finally {
    tensor.dispose();
  }
}
