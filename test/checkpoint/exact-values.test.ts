import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exactValues } from "../../sdk/checkpoint/exact-values.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { fixture } from "../support/shared.js";

const test = suite("exact-values");
const expected: Record<string, { dtype: string; shape: number[]; values: string[] }> = JSON.parse(
  readFileSync(fixture("dtypes.expected.json"), "utf8"),
);

/** Shortest text that reads back to the same number; tells -0 from 0, as the fixture does. */
const text = (value: number | bigint) => (Object.is(value, -0) ? "-0" : String(value));
const normal = (value: string) => value.replace("inf", "Infinity").replace("nan", "NaN").replace(/\.0$/, "");

for (const [name, { dtype, shape, values }] of Object.entries(expected)) {
  test(name, async () => {
    const store = await openTensors(fixture("dtypes.safetensors"));
    assert.equal([store.info(name).dtype, store.info(name).shape], [dtype, shape]);
    const exact = await exactValues(store, name);
    const wanted = values.map(
      (value) => (typeof exact[0] === "bigint" ? text(BigInt(value)) : text(Number(normal(value))))
    );
    assert.equal([...exact].map(text), wanted);
    // as float32: rounded once, from the exact number
    const rounded = [...exact].map((value) => text(Math.fround(Number(value))));
    if (typeof exact[0] !== "bigint") assert.equal([...(await store.values(name))].map(text), rounded);
    await store.close();
  });
}

test("every tensor of the fixture is expected, and its metadata read", async () => {
  const store = await openTensors(fixture("dtypes.safetensors"));
  assert.equal([...store.names()].sort(), Object.keys(expected).sort());
  assert.equal({ ...store.metadata }, { format: "pt", note: "one tensor per dtype ✓" });
  await store.close();
});

test.run();
