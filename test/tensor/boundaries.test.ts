import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const sdk = fileURLToPath(new URL("../../sdk", import.meta.url));

/** Lines of code in sdk/ outside sdk/tensor that match; comments do not count. */
function offences(pattern: RegExp, source = (path: string) => readFileSync(path, "utf8")): string[] {
  return readdirSync(sdk, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts") && !name.startsWith(`tensor${sep}`)
  ).flatMap((name) =>
    codeLines(source(join(sdk, name))).flatMap(
      ([line, number]) => (pattern.test(line) ? [`sdk/${name}:${number}: ${line.trim()}`] : [])
    )
  );
}

function codeLines(source: string): [line: string, number: number][] {
  const blanked = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "));
  return blanked.split("\n").map((line, i) => [line.replace(/(^|\s)\/\/.*$/, ""), i + 1]);
}

const SYNCHRONOUS = /\b(dataSync|arraySync|bytesSync)\b/;
const BACKEND = /(from|import\(?)\s*"@tensorflow\/tfjs-(backend|node)|^import (?!type\b).*from "@tensorflow\/tfjs/;
const GLOBAL_RANDOM = /\bMath\.random\b|\btf\.(randomNormal|randomUniform|truncatedNormal|dropout)\(/;

test("tensors are read asynchronously outside sdk/tensor: a GPU cannot be waited for", () => {
  assert.equal(offences(SYNCHRONOUS), []);
});

test("no back end is imported outside sdk/tensor, and TensorFlow.js comes from there", () => {
  assert.equal(offences(BACKEND), []);
});

test("random numbers come from a seeded generator", () => {
  assert.equal(offences(GLOBAL_RANDOM), []);
});

test("the patterns find what they are for", () => {
  const found = (pattern: RegExp, line: string) => codeLines(line).some(([code]) => pattern.test(code));
  assert.ok(found(SYNCHRONOUS, "const x = y.dataSync();") && found(SYNCHRONOUS, "y[\"arraySync\"]()"));
  assert.not.ok(found(SYNCHRONOUS, "// dataSync waits") || found(SYNCHRONOUS, "/* x.dataSync() */"));
  assert.ok(
    found(BACKEND, "import * as tf from \"@tensorflow/tfjs-core\";")
      && found(BACKEND, "await import(\"@tensorflow/tfjs-backend-wasm\")"),
  );
  assert.not.ok(found(BACKEND, "import type { Tensor } from \"@tensorflow/tfjs-core\";"));
  assert.ok(found(GLOBAL_RANDOM, "x = Math.random()"));
});

test.run();
