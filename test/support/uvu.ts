// uvu as every test file gets it (see `paths` in tsconfig.json): a test that leaves tensors behind fails.
import { createRequire } from "node:module";
import type * as Uvu from "../../node_modules/uvu/index.js";
import { keptTensors } from "../../sdk/model/kept-tensors.js";

const uvu = createRequire(import.meta.url)("../../node_modules/uvu/dist/index.js") as typeof Uvu;

/** The engine of TensorFlow.js, once something has loaded it. */
interface Engine {
  state: { numTensors: number };
}
const live = () => ((globalThis as { _tfengine?: Engine })._tfengine?.state.numTensors ?? 0) - keptTensors.count;

function watched<T>(test: Uvu.Test<T>): Uvu.Test<T> {
  const check = (handler: Uvu.Callback<T>): Uvu.Callback<T> => async (context) => {
    const before = live();
    await handler(context);
    const left = live() - before;
    if (left > 0)
      throw new Error(`${left} tensors left behind: ${before} lived before the test, ${before + left} after it`);
  };
  return Object.assign((name: string, handler: Uvu.Callback<T>) => test(name, check(handler)), test, {
    only: (name: string, handler: Uvu.Callback<T>) => test.only(name, check(handler)),
  }) as Uvu.Test<T>;
}

export type { Callback, Test } from "../../node_modules/uvu/index.js";
export const { exec } = uvu;
export const suite = ((...given: Parameters<typeof uvu.suite>) => watched(uvu.suite(...given))) as typeof uvu.suite;
export const test = watched(uvu.test);
