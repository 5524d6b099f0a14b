import fc from "fast-check";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withoutBareWords } from "../../sdk/checkpoint/config-text.js";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { readConfig } from "../../sdk/checkpoint/read-config.js";
import { MoeError } from "../../sdk/errors.js";
import { mutateJson, mutation } from "../support/mutate.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("hostile-config");
const folder = mkdtempSync(join(tmpdir(), "moelab-hostile-"));
test.after(() => rmSync(folder, { recursive: true }));

type Config = Record<string, unknown>;
const names = readdirSync(fixture("models"));
const configOf = (name: string) =>
  JSON.parse(withoutBareWords(readFileSync(fixture(`models/${name}/config.json`), "utf8"))) as Config;

const hostile = fc.constantFrom<unknown>(1e9, 1e15, 1e308, -1, 0, 0.5, 7, "x", "", "1e9", "relu", null, true, false, [],
  {}, [1e9], ["sliding_attention"], [[[[]]]], { type: "yarn" }, { type: "longrope" }, { factor: -1, type: "dynamic" });

/** The configuration with one value replaced, inside a nested object too. */
function poisoned(config: Config, at: number, value: unknown): Config {
  const paths = Object.entries(config).flatMap(
    ([key, item]) => [[key],
      ...(item && typeof item === "object" && !Array.isArray(item)
        ? Object.keys(item).map((inner) => [key, inner])
        : [])]
  );
  const copy = structuredClone(config);
  const path = paths[at % paths.length];
  const owner = path.length === 2 ? (copy[path[0]] as Config) : copy;
  owner[path[path.length - 1]] = value;
  return copy;
}

async function specOrRefusal(config: Config): Promise<boolean> {
  try {
    await specFromConfig(config);
    return true;
  } catch (error) {
    assert.instance(error, MoeError, `${(error as Error).stack}\n${JSON.stringify(config)}`);
    return false;
  }
}

test("a value of any family's configuration may be anything: a spec or a reason, in bounded time", async () => {
  let accepted = 0, refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.array(fc.tuple(fc.nat(), hostile), { minLength: 1, maxLength: 2 }),
      async (name, changes) => {
        const config = changes.reduce((each, [at, value]) => poisoned(each, at, value), configOf(name));
        if (await specOrRefusal({ ...config, model_type: configOf(name).model_type })) accepted++;
        else refused++;
      }),
    { numRuns: 1200, seed: 40 },
  );
  assert.ok(accepted > 100 && refused > 100, `${accepted} accepted, ${refused} refused`);
});

test("a mutated config.json of a checkpoint opens, or is refused with a reason", async () => {
  const source = fixture("models/deepseek_v3");
  symlinkSync(join(source, "model.safetensors"), join(folder, "model.safetensors"));
  const text = readFileSync(join(source, "config.json"));
  let opened = 0, refused = 0;
  await fc.assert(fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 2 }), async (changes) => {
    writeFileSync(join(folder, "config.json"), mutateJson(text, changes));
    try {
      const { model } = await openModel(folder);
      await model.dispose();
      opened++;
    } catch (error) {
      assert.instance(error, MoeError, (error as Error).stack);
      refused++;
    }
  }), { numRuns: 400, seed: 41 });
  assert.ok(opened > 20 && refused > 100, `${opened} opened, ${refused} refused`);
});

test("brackets by the million are refused before they fill the stack", async () => {
  for (const text of ["[".repeat(4e6), `{"model_type":"mixtral","x":${"[".repeat(1e6)}${"]".repeat(1e6)}}`,
    `{"a":`.repeat(1e5), "[]", "null", "3", ""]) {
    writeFileSync(join(folder, "config.json"), text);
    assert.is((await rejects(readConfig(folder))).code, "bad-config");
  }
});

test("what is wrong with a number is said", async () => {
  const mixtral = configOf("mixtral"), deepseek = configOf("deepseek_v3");
  const said = async (config: Config) => (await rejects(specFromConfig(config))).message;
  assert.match(await said({ ...mixtral, num_hidden_layers: 1e9 }),
    /num_hidden_layers is 1000000000 in config.json; accepted is a whole number from 0 to 1000/);
  assert.match(await said({ ...configOf("minimax"), layer_types: undefined, num_hidden_layers: 1e9 }),
    /num_hidden_layers is 1000000000/);
  assert.match(await said({ ...mixtral, num_local_experts: 1e9 }), /the number of experts is 1000000000/);
  assert.match(await said({ ...mixtral, num_experts_per_tok: 9 }), /experts per token is 9 .* from 1 to 8/);
  assert.match(await said({ ...mixtral, num_key_value_heads: 3 }), /4 heads share 3 keys/);
  assert.match(await said({ ...mixtral, vocab_size: -5 }), /vocab is -5/);
  assert.match(await said({ ...mixtral, rope_scaling: "yarn" }), /rope_scaling is "yarn"/);
  assert.match(
    await said({ ...mixtral, rope_scaling: { type: "longrope", short_factor: [1], long_factor: [1, 2, 3, 4] } }),
    /short_factor of rotary positions is \[1\].*4 numbers/,
  );
  assert.match(await said({ ...deepseek, n_group: 3, topk_group: 1 }), /8 experts stand in 3 groups/);
  assert.match(await said({ ...configOf("nllb_moe"), moe_eval_capacity_token_fraction: 0.5 }),
    /moe_eval_capacity_token_fraction is 0.5: .* accepted is 1/);
  assert.match(await said({ ...deepseek, topk_group: 5 }), /groups per token is 5/);
});

test.run();
