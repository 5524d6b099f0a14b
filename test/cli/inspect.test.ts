import { suite } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../../sdk/cli/inspect.js";
import { fixture } from "../support/shared.js";

const test = suite("inspect");

async function printed(...argv: string[]): Promise<string> {
  const { log } = console;
  const lines: unknown[] = [];
  console.log = (line: unknown) => void lines.push(line);
  try {
    await command.parseAsync(argv, { from: "user" });
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

test("a folder's tensors are listed by part, with their sum", async () => {
  const text = await printed(fixture("models/olmoe_bf16"));
  assert.match(text, /model\.layers\.\*\.mlp\.experts\.\*\.up_proj\.weight +BF16 +16 +24 x 32/);
  assert.match(text, "69 tensors, 52.0k elements, 104 kB");
});

test("as JSON for programs", async () => {
  const groups = JSON.parse(await printed(fixture("models/olmoe_bf16"), "--json"));
  assert.is(groups.reduce((sum: number, { tensors }: { tensors: number }) => sum + tensors, 0), 69);
});

test.run();
