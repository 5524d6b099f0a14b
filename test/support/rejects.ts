import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";

/** Waits for a promise that must fail with a MoeError (or a given kind of it) and returns the error. */
export async function rejects(promise: Promise<unknown>, kind: typeof MoeError = MoeError): Promise<MoeError> {
  const outcome = await promise.then(() => "it did not fail", (error: unknown) => error);
  assert.instance(outcome, kind, `expected ${kind.name}, got ${String(outcome)}`);
  return outcome as MoeError;
}
