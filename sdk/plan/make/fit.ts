import { MoeError } from "../../errors.js";
import { formTensors } from "../../model/form/forms.js";
import type { FitWork } from "../fit/fitter.js";
import { fitterNamed } from "../fit/fitters.js";
import type { Fit, Part, Same } from "../recipe.js";
import { type Bench, type Maker, type Parts, sizeOf, sizeOfAll, storedAs } from "./maker.js";

/** A matrix in another form, or with other numbers. */
export const fit: Maker<Fit> = {
  infos({ of, part, by, want }, infos) {
    const stored = infos(of).get(part)!;
    const [out, width] = stored.shape;
    fitterNamed(by).check?.(want, [out, width]);
    if (!want.form) return new Map([[part, storedAs(stored, [out, want.keep?.length ?? width])]]);
    return new Map(
      formTensors(want.form, [out, width]).map(
        ({ name, shape }) => [part + name,
          name.endsWith(".rows") ? { dtype: "I32", shape, sizeBytes: 4 * shape[0] } : storedAs(stored, shape)]
      ),
    );
  },

  async values({ of, part, by, want, statistic }, bench) {
    const shape = bench.infos(of).get(part)!.shape as [number, number];
    const found = await fitterNamed(by).fit(await bench.part(of, part), shape, want, {
      statistic: () => read(statistic, part, bench, sizeOf(fitterNamed(by).statistic?.(shape, want) ?? shape)),
    });
    if ("values" in found) return new Map([[part, found.values]]);
    return new Map(Object.entries(found.factors).map(([name, values]) => [`${part}.${name}`, values])) as Parts;
  },

  work(recipe, tally) {
    const { of, part, by, want, statistic } = recipe;
    const own = tally.part(of, part);
    const shape = tally.infos(of).get(part)!.shape as [number, number];
    const fitter = fitterNamed(by);
    const read = statistic ? sizeOf(fitter.statistic?.(shape, want) ?? []) : 0;
    const { holds, ...computed }: FitWork = fitter.work(shape, want);
    tally.hold(read);
    tally.pass(holds);
    tally.add({ ...computed, numbers: sizeOf(shape) + read });
    tally.hold(sizeOfAll(tally.infos(recipe)));
    tally.free(own + read);
  },
};

/** @throws MoeError `tensors-missing` */
async function read(statistic: Same | undefined, part: Part, bench: Bench, size: number): Promise<Float32Array> {
  const source = statistic && bench.source(statistic);
  const name = statistic?.names[part] ?? "a matrix";
  const found = source?.has(name) ? await source.values(name) : undefined;
  if (found?.length === size) return found;
  throw new MoeError("tensors-missing",
    `apply: to fit ${name} ${size} numbers of what was measured about it are read, `
      + `${found ? `${found.length} are there` : "none are there"}; accepted are those of this weight. Name them in `
      + "fit.statistic and pass them to apply as tensors.");
}
