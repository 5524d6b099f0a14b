import type { Changes } from "../method/method.js";
import { Model } from "../model/model.js";
import { type LayerId, layerId, layerIds, type ModelSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { applyPlan } from "../plan/apply.js";
import { isFactored } from "../plan/slot-form.js";
import { MadeWeights } from "./made-weights.js";

/** A model's layers, changed in one way or another: each variant is made once, and weights of it are shared by name. */
export class LayerVariants {
  private readonly models = new Map<string, Model>();
  private readonly made: MadeWeights;

  /** @param limitBytes of variants, the ones used longest ago make room, and of made weights beside them */
  constructor(
    private readonly model: Model,
    private readonly tensors: Readonly<Record<string, WeightSource>> = {},
    private readonly limitBytes = 2 ** 30,
  ) {
    this.made = new MadeWeights(limitBytes);
  }

  /** The model with these changes as a whole; the caller disposes it. */
  async whole(changes: Changes): Promise<Model> {
    const { spec, weights } = await this.apply(changes);
    return new Model(this.model.id, spec, weights, this.model);
  }

  /**
   * A model for each layer that changes, of which that layer is to be used; they belong to this. Undefined where
   * changes cannot be told apart by layer.
   */
  async of(changes: Changes): Promise<Map<LayerId, Model> | undefined> {
    const parts = byLayer(changes, this.model.spec);
    if (!parts) return undefined;
    const found = new Map<LayerId, Model>();
    for (const [id, part] of parts) {
      const key = `${id} ${JSON.stringify(part)}`;
      let variant = this.models.get(key);
      if (variant) this.models.delete(key);
      else variant = await this.variant(part);
      this.models.set(key, variant);
      found.set(id, variant);
    }
    await this.makeRoom(new Set(found.values()));
    return found;
  }

  async dispose(): Promise<void> {
    for (const model of this.models.values()) await model.dispose();
    this.models.clear();
  }

  private async variant(part: Changes): Promise<Model> {
    const { spec, weights } = await this.apply(part);
    return new Model(this.model.id, spec, this.made.sharing(weights, part), this.model);
  }

  private async apply(changes: Changes) {
    return applyPlan(this.model, { version: 2, for: await this.model.weights.fingerprint(), method: "candidate",
      options: {}, ...changes }, { tensors: this.tensors });
  }

  private async makeRoom(inUse: ReadonlySet<Model>): Promise<void> {
    const layers = [...this.models].map(([key, model]) => ({ key, model, bytes: model.layerBytes(key.split(" ")[0]) }));
    let total = layers.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { key, model, bytes } of layers) {
      if (total <= this.limitBytes) return;
      if (inUse.has(model)) continue;
      this.models.delete(key);
      await model.dispose();
      total -= bytes;
    }
  }
}

/** Changes apart by the layer that they are about; undefined where something is about more than a layer. */
function byLayer(changes: Changes, spec: ModelSpec): Map<LayerId, Changes> | undefined {
  const { layers, weights = {}, units = {}, ...rest } = changes;
  if (Object.keys(rest).length > 0) return undefined;
  const own = Object.values(layers).flatMap(({ slots }) => slots ?? []);
  // rows that rounding takes from one matrix are given to the next one, in another layer perhaps
  if (own.some(({ form }) => isFactored(form))) return undefined;
  const ids = layerIds(spec);
  // T5's table of distances goes to another layer with the attention of the one that has it
  const owns = (id: LayerId) =>
    (["encoder", "decoder"] as const).some((stack) =>
      spec[stack]?.layers.some(({ attention }, at) =>
        layerId(stack, at) === id && attention?.kind === "softmax" && attention.relative?.own
      )
    );
  const goes = ({ drop = [], spec }: Changes["layers"][string]) =>
    drop === "layer" || drop.includes("attention") || spec;
  if (Object.entries(layers).some(([id, change]) => goes(change) && owns(id))) return undefined;
  const parts = new Map<LayerId, Changes>();
  const part = (id: LayerId) => parts.get(id) ?? parts.set(id, { layers: {} }).get(id)!;
  for (const id of ids) if (layers[id]) part(id).layers[id] = layers[id];
  for (const [kind, entries] of [["weights", weights], ["units", units]] as const) {
    for (const [name, entry] of Object.entries(entries)) {
      const id = ids.find((id) => name.startsWith(`${id}.`));
      if (id === undefined) return undefined;
      const own = part(id);
      own[kind] = { ...own[kind], [name]: entry } as never;
    }
  }
  return parts;
}
