import { MoeError } from "../../errors.js";
import { formTensors } from "../../model/form/forms.js";
import type { TensorInfo } from "../../model/weight-source.js";
import { codecOf, packedBytes } from "../../tensor/formats/codecs.js";
import type { NumberFormat, Parts as Codes } from "../../tensor/formats/number-format.js";
import type { Fitted, FitWork } from "../fit/fitter.js";
import { fitterNamed } from "../fit/fitters.js";
import type { Fit, Part, Same } from "../recipe.js";
import { type Bench, type Maker, sizeOf, sizeOfAll, storedAs } from "./maker.js";

/** A matrix in another form or format, or with other numbers. */
export const fit: Maker<Fit> = {
  infos({ of, part, by, want }, infos) {
    const stored = infos(of).get(part)!;
    const [out, width] = stored.shape;
    fitterNamed(by).check?.(want, [out, width]);
    const shape: [number, number] = [out, want.keep?.length ?? width];
    if (want.format) return new Map([[part, packedInfo(want.format, shape)]]);
    if (!want.form) return new Map([[part, storedAs(stored, shape)]]);
    return new Map(
      formTensors(want.form, shape).map(
        ({ name, shape, index }) => [part + name,
          index ? { dtype: "I32", shape, sizeBytes: 4 * shape[0] } : storedAs(stored, shape)]
      ),
    );
  },

  async values(recipe, bench) {
    const { part, want: { format } } = recipe;
    if (format) {
      const { shape } = bench.infos(recipe).get(part)!;
      const codes = await fittedCodes(recipe, bench);
      return new Map([[part, codecOf(format).decode(codes, shape, settled(format, codes))]]);
    }
    const found = await find(recipe, bench);
    if ("values" in found) return new Map([[part, found.values]]);
    return new Map(
      Object.entries("factors" in found ? found.factors : {}).map(([name, values]) => [`${part}.${name}`, values]),
    );
  },

  work(recipe, tally) {
    const { of, part, by, want, statistic } = recipe;
    const own = tally.part(of, part);
    const { dtype, shape: lengths } = tally.infos(of).get(part)!;
    const shape = lengths as [number, number];
    // bytes of float32 are the numbers themselves
    const bytes = dtype === "F32" ? 0 : tally.landed();
    const fitter = fitterNamed(by);
    const read = statistic ? sizeOf(fitter.statistic?.(shape, want) ?? shape) : 0;
    const { holds, ...computed }: FitWork = fitter.work(shape, want);
    tally.hold(read);
    tally.pass(bytes + holds);
    tally.add({ ...computed, numbers: sizeOf(shape) + read });
    tally.hold(sizeOfAll(tally.infos(recipe)));
    tally.free(own + read);
  },
};

/** The parts of a weight that is fitted to a format: what the fitter found, or the nearest to its numbers. */
export async function fittedCodes(recipe: Fit, bench: Bench): Promise<Codes<Uint8Array>> {
  const { part, want: { format } } = recipe;
  const found = await find(recipe, bench);
  if ("codes" in found) return found.codes;
  const { shape } = bench.infos(recipe).get(part)!;
  return codecOf(format!).encode("values" in found ? found.values : new Float32Array(0), shape, format!);
}

/** With what only the encoder knows. */
function settled(format: NumberFormat, codes: Codes<Uint8Array>): NumberFormat {
  return codecOf(format).settled?.(format, codes) ?? format;
}

async function find({ of, part, by, want, statistic }: Fit, bench: Bench): Promise<Fitted> {
  const fitter = fitterNamed(by);
  const shape = bench.infos(of).get(part)!.shape as [number, number];
  const size = sizeOf(fitter.statistic?.(shape, want) ?? shape);
  const fits = (length: number) =>
    length === size || fitter.upTo === true && 0 < length && length < size && length % shape[1] === 0;
  return fitter.fit(await bench.part(of, part), shape, want, {
    statistic: () => read(statistic, part, bench, size, fits),
  });
}

/** A packed weight as its numbers are read. */
function packedInfo(format: NumberFormat, shape: [number, number]): TensorInfo {
  try {
    return { dtype: "F32", shape, sizeBytes: packedBytes(format, shape), format };
  } catch (error) {
    if (error instanceof MoeError) throw new MoeError("bad-plan", error.message.replace(/^\w+:/, "plan:"));
    throw error;
  }
}

/** @throws MoeError `tensors-missing` */
async function read(
  statistic: Same | undefined,
  part: Part,
  bench: Bench,
  size: number,
  fits: (length: number) => boolean,
): Promise<Float32Array> {
  const source = statistic && bench.source(statistic);
  const name = statistic?.names[part] ?? "a matrix";
  const found = source?.has(name) ? await source.values(name) : undefined;
  if (found && fits(found.length)) return found;
  throw new MoeError("tensors-missing",
    `apply: to fit ${name} ${size} numbers of what was measured about it are read, `
      + `${found ? `${found.length} are there` : "none are there"}; accepted are those of this weight. Name them in `
      + "fit.statistic and pass them to apply as tensors.");
}
