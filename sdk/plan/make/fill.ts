import { Rng } from "../../tensor/rng.js";
import type { Fill } from "../recipe.js";
import { type Maker, sizeOf, storedAs } from "./maker.js";

/** Numbers that no source holds. */
export const fill: Maker<Fill> = {
  infos: ({ shape }) => new Map([["", storedAs({ dtype: "F32", shape: [], sizeBytes: 4 }, shape)]]),

  async values({ name, shape, values: given, value = 0, normal = 0 }) {
    const values = given ? Float32Array.from(given) : new Float32Array(sizeOf(shape)).fill(value);
    const rng = new Rng(name);
    if (normal) { for (let i = 0; i < values.length; i++) values[i] += normal * rng.normal(); }
    return new Map([["", values]]);
  },

  work({ shape }, tally) {
    tally.hold(sizeOf(shape));
    tally.add({ numbers: sizeOf(shape) });
  },
};
