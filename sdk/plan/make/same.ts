import { MoeError } from "../../errors.js";
import { formTensors, wholeValues } from "../../model/form/forms.js";
import type { WeightSource } from "../../model/weight-source.js";
import type { Part, Same } from "../recipe.js";
import { type Described, type Maker, sizeOf, storedAs } from "./maker.js";

/** Reads weights; the matrices of one expert at the same time. */
export const same: Maker<Same> = {
  infos(recipe, _, sourceOf) {
    const source = sourceOf(recipe);
    return new Map(Object.entries(recipe.names).map(([part, name]) => {
      const stored = formOf(recipe, part, source);
      if (!stored) return [part, source.info(name)];
      const [first] = formTensors(stored.form, stored.shape);
      return [part, storedAs(source.info(name + first.name), stored.shape)];
    }));
  },

  async values(recipe, bench, only) {
    const source = bench.source(recipe);
    const read = chosen(Object.entries(recipe.names), only).map(async ([part, name]) => {
      const stored = formOf(recipe, part, source);
      return [part, await (stored ? whole(source, name, stored) : source.values(name))] as const;
    });
    return new Map(await Promise.all(read));
  },

  work(recipe, tally, only) {
    const source = tally.source(recipe);
    for (const [part, { shape, sizeBytes }] of chosen([...tally.infos(recipe)], only)) {
      const numbers = sizeOf(shape);
      const peak = source.peakReadBytes?.(recipe.names[part]) ?? 0;
      if (peak > 0) tally.land(sizeBytes / 4, true);
      tally.pass(Math.max(numbers, peak / 4));
      tally.hold(numbers);
      tally.add({ numbers });
    }
  },
};

type Formed = NonNullable<Same["forms"]>[Part];

/** The form of a matrix that is to be made whole; what is beside the weights may have it whole. */
function formOf({ names, forms, tensors }: Omit<Same, "make">, part: Part, source: Described): Formed | undefined {
  return forms?.[part] && !(tensors && source.has(names[part])) ? forms[part] : undefined;
}

async function whole(source: WeightSource, name: string, { form, shape }: Formed): Promise<Float32Array> {
  const values = await wholeValues(source, name, form, shape);
  if (values) return values;
  throw new MoeError("bad-plan",
    `plan: it reads ${name}, which has the form "${form.form}" and is no matrix; accepted are weights that are one, or `
      + "have a form that stands for one. Leave it as it is.");
}

function chosen<T>(parts: [Part, T][], only?: Part): [Part, T][] {
  return only === undefined ? parts : parts.filter(([part]) => part === only);
}
