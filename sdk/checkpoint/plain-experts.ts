import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { expertTensors } from "../model/expected-tensors.js";
import type { Shape } from "../model/form/form.js";
import { wholeValues } from "../model/form/forms.js";
import type { MatrixForm } from "../model/form/matrix-form.js";
import { type LayerId, type ModelSpec, type MoeFfnSpec, moeLayers } from "../model/spec.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import type { Parts } from "../tensor/formats/number-format.js";
import { tf } from "../tensor/index.js";

/** A model to be written. */
export interface SpecAndWeights {
  spec: ModelSpec;
  weights: WeightSource;
}

/**
 * The same model in the words of any consumer: every router output has a dense expert of its own, none is masked.
 * Router rows of masked outputs are cut out. Runs nothing and reads nothing until weights are asked for.
 *
 * @param shared what becomes of an expert that several outputs lead to: a copy for each (`copy`), or an error
 *   (`refuse`)
 * @throws MoeError `not-exportable` where the result could not compute the same
 */
export function plainExperts({ spec, weights }: SpecAndWeights, shared: "copy" | "refuse"): SpecAndWeights {
  const plain = structuredClone(spec);
  const changed = new Map<string, Origin>();
  for (const { id, ffn } of moeLayers(plain)) {
    if (ffn.router.mix) throw notExportable(`the router of ${id} mixes its scores`, "Save with { layout: \"moelab\" }");
    const open = openOutputs(id, ffn, shared);
    for (const name of ["router", "router.bias", "router.choiceBias"]) {
      if (weights.has(`${id}.${name}`)) changed.set(`${id}.${name}`, { rows: open, from: `${id}.${name}` });
    }
    const own = open.find((output) => ["copy", "constant"].includes(ffn.slots[ffn.expertOf[output]]?.form));
    if (own !== undefined)
      throw notExportable(
        `output ${own} of the router of ${id} leads to an expert of form "${ffn.slots[ffn.expertOf[own]].form}"`,
        "Save with { layout: \"moelab\" }",
      );
    const width = Math.max(...ffn.slots.map((slot) => slot.width));
    open.forEach((output, index) => {
      const slot = ffn.expertOf[output], stored = ffn.slots[slot];
      for (const { name, shape } of expertTensors("", { form: "dense", width }, ffn, spec.width)) {
        const from = `${id}.experts.${slot}${name}`;
        const form = stored?.form === "dense" ? stored.maps?.[name.slice(1) as "up"] : undefined;
        changed.set(`${id}.experts.${index}${name}`, !stored || stored.form === "zero"
          ? { zeros: shape }
          : form
          ? { from, form, shape: shape as [number, number] }
          : { from });
      }
    });
    ffn.experts = open.length;
    ffn.expertOf = open.map((_, index) => index);
    ffn.slots = open.map(() => ({ form: "dense", width }));
    delete ffn.router.masked;
    delete ffn.router.combine; // the same result for fewer FLOPs: a consumer may do without
  }
  return { spec: plain, weights: new PlainWeights(weights, changed) };
}

/** The router outputs that can be chosen, in order. */
function openOutputs(id: LayerId, ffn: MoeFfnSpec, shared: "copy" | "refuse"): number[] {
  const masked = new Set(ffn.router.masked ?? []);
  const open = ffn.expertOf.flatMap((_, output) => (masked.has(output) ? [] : [output]));
  const slots = open.map((output) => ffn.expertOf[output]);
  if (shared === "refuse") {
    if (slots.includes(-1))
      throw notExportable(
        `output ${open[slots.indexOf(-1)]} of the router of ${id} can be chosen and leads to no expert`,
        "Save with { layout: \"expanded\" } or \"moelab\"",
      );
    const twice = slots.findIndex((slot, index) => slots.indexOf(slot) !== index);
    if (twice >= 0)
      throw notExportable(
        `outputs ${open[slots.indexOf(slots[twice])]} and ${open[twice]} of the router of ${id} share an expert`,
        "A merged model is saved with { layout: \"expanded\" } or \"moelab\"",
      );
  }
  const { groups } = ffn.router;
  if (groups && open.length < ffn.experts) {
    const size = ffn.experts / groups.count;
    const left = Array.from({ length: groups.count }, (_, group) =>
      open.filter((output) => Math.floor(output / size) === group).length);
    if (left.some((count) => count !== left[0]) || (groups.rank === "best-two" && left[0] < 2)) {
      throw notExportable(
        `the groups of experts in ${id} keep ${left.join(", ")} experts, and the router chooses by groups of `
          + `equal size${groups.rank === "best-two" ? " from 2" : ""}`,
        "Prune the same number in every group, or save with { layout: \"moelab\" }",
      );
    }
    if (left[0] * groups.keep < ffn.router.topK)
      throw notExportable(
        `${groups.keep} groups of ${left[0]} experts are left to choose ${ffn.router.topK} from in ${id}`,
        "Prune fewer experts, or save with { layout: \"moelab\" }",
      );
  }
  return open;
}

export function notExportable(what: string, todo: string): MoeError {
  return new MoeError("not-exportable",
    `save: ${what}; accepted is a model that the family's own configuration can say. ${todo}.`);
}

/** How a weight of the plain model comes about; every other weight is the model's own. */
type Origin = { from: string } | { from: string; rows: number[] } | { from: string; form: MatrixForm; shape: Shape } | {
  zeros: number[];
};

class PlainWeights implements WeightSource {
  constructor(private readonly model: WeightSource, private readonly changed: Map<string, Origin>) {}

  *names(): Iterable<string> {
    for (const name of this.model.names()) if (!name.includes(".experts.") && !this.changed.has(name)) yield name;
    yield* this.changed.keys();
  }

  has(name: string): boolean {
    return this.changed.has(name) || (!name.includes(".experts.") && this.model.has(name));
  }

  info(name: string): TensorInfo {
    const origin = this.changed.get(name);
    if (!origin) return this.model.info(name);
    if ("zeros" in origin) return { dtype: this.someDtype(name), shape: origin.zeros, sizeBytes: 0 };
    if ("form" in origin) return { dtype: this.someDtype(name), shape: [...origin.shape], sizeBytes: 0 };
    const { format, ...info } = this.model.info(origin.from);
    return "rows" in origin
      ? { ...info, shape: [origin.rows.length, ...info.shape.slice(1)],
        sizeBytes: (info.sizeBytes / info.shape[0]) * origin.rows.length }
      : { ...info, ...(format && { format }) };
  }

  parts(name: string): Promise<Parts<Uint8Array>> | undefined {
    const origin = this.changed.get(name);
    if (!origin) return this.model.parts?.(name);
    return "from" in origin && !("rows" in origin) && !("form" in origin) ? this.model.parts?.(origin.from) : undefined;
  }

  rows(name: string, rows: { start: number; end: number }): Promise<Float32Array> | undefined {
    return this.changed.has(name) ? undefined : this.model.rows?.(name, rows);
  }

  bytes(name: string, rows?: { start: number; end: number }, into?: Uint8Array): Promise<Uint8Array> | undefined {
    const origin = this.changed.get(name);
    if (!origin) return this.model.bytes?.(name, rows, into);
    return "from" in origin && !("rows" in origin) && !("form" in origin)
      ? this.model.bytes?.(origin.from, rows, into)
      : undefined;
  }

  async values(name: string): Promise<Float32Array> {
    const origin = this.changed.get(name);
    if (!origin) return this.model.values(name);
    if ("zeros" in origin) return new Float32Array(origin.zeros.reduce((product, length) => product * length, 1));
    if ("form" in origin) return this.whole(origin.from, origin.form, origin.shape);
    const values = await this.model.values(origin.from);
    if (!("rows" in origin)) return values;
    const width = values.length / this.model.info(origin.from).shape[0];
    const cut = new Float32Array(origin.rows.length * width);
    origin.rows.forEach((row, at) => cut.set(values.subarray(row * width, (row + 1) * width), at * width));
    return cut;
  }

  async read(name: string): Promise<Tensor> {
    return tf.tensor(await this.values(name), this.info(name).shape, "float32");
  }

  /** of the same numbers in another layout: the fingerprint stays that of the model */
  fingerprint(): Promise<string> {
    return this.model.fingerprint();
  }

  close(): Promise<void> {
    return this.model.close();
  }

  private async whole(name: string, form: MatrixForm, shape: Shape): Promise<Float32Array> {
    const values = await wholeValues(this.model, name, form, shape);
    if (values) return values;
    throw notExportable(`${name} has the form "${form.form}", which is no matrix`, "Save with { layout: \"moelab\" }");
  }

  /** An expert of zeros has the number format of its layer's router. */
  private someDtype(name: string): TensorInfo["dtype"] {
    return this.model.info(`${name.split(".experts.")[0]}.router`).dtype;
  }
}
