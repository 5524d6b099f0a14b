import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sameAsTransformers } from "../support/same-as-transformers.js";
import { fixture } from "../support/shared.js";

sameAsTransformers(["llama", "qwen3", "gpt2", "opt", "bert", "jetmoe", "lfm2_moe", "minimax", "qwen3_next", "jamba"]);

test("every fixture is in one of the four files", () => {
  const text = ["fixtures", "fixtures-2", "fixtures-3", "fixtures-4"].map((file) =>
    readFileSync(new URL(`${file}.test.ts`, import.meta.url), "utf8")
  ).join();
  for (const name of readdirSync(fixture("models"))) assert.ok(text.includes(`"${name}"`), `${name} is not compared`);
});

test.run();
